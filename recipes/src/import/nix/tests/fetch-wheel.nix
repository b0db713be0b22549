{ buildPythonPackage, fetchPypi }:

buildPythonPackage rec {
  pname = "prebuilt";
  version = "7.1.0";
  format = "wheel";
  src = fetchPypi {
    inherit pname version format;
    dist = "py3";
    python = "py3";
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
}
