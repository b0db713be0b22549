{ lib, buildPythonPackage, fetchPypi, setuptools, extra, withTests ? false }:

let
  common = {
    pyproject = true;
    build-system = [ setuptools ];
    doCheck = withTests;
  };
in
buildPythonPackage (
  common
  // rec {
    pname = "merged";
    version = "0.7";
    src = fetchPypi {
      inherit pname version;
      hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    };
  }
  // lib.optionalAttrs (!withTests) { dontUsePytestCheck = false; }
  // lib.optionalAttrs (lib.versionAtLeast extra.version "2") { postPatch = "true"; }
)
