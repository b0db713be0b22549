{ lib, buildPythonPackage, fetchPypi, setuptools }:

assert lib.versionAtLeast "2.0" "1.0";

buildPythonPackage rec {
  pname = "asserted";
  version = assert true; "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
}
