{ lib, buildPythonPackage, fetchPypi }:

buildPythonPackage rec {
  pname = "odd";
  version = "0.7";
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  meta.license = lib.licenses.inventedOne;
  meta.maintainers = [ ];
  meta.knownVulnerabilities = [ ];
}
