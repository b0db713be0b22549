{ lib, python3Packages, fetchPypi }:

let
  helper = python3Packages.buildPythonPackage rec {
    pname = "helper-lib";
    version = "0.1";
    format = "setuptools";
    src = fetchPypi {
      inherit pname version;
      hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    };
  };
in
python3Packages.buildPythonApplication rec {
  pname = "helped";
  version = "1.0";
  pyproject = true;
  src = ./helped;
  build-system = with python3Packages; [ setuptools ];
  dependencies = [
    helper
    python3Packages.requests
  ];
}
