{ buildPythonPackage, fetchPypi, setuptools, unittestCheckHook }:

buildPythonPackage rec {
  pname = "unit-old";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  nativeCheckInputs = [ unittestCheckHook ];
  unittestFlagsArray = [ "-s tests -p '*_test.py'" ];
}
