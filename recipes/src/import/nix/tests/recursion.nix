{ lib, buildPythonPackage, fetchPypi, setuptools }:

let
  loop = x: loop x;
  a = b;
  b = a;
in
buildPythonPackage rec {
  pname = "endless";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  pythonImportsCheck = loop [ ];
  disabledTests = a;
}
