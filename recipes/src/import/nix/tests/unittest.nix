{ buildPythonPackage, fetchPypi, setuptools, unittestCheckHook, mock }:

buildPythonPackage rec {
  pname = "unit";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  nativeCheckInputs = [ unittestCheckHook mock ];
  unittestFlags = [ "-s" "tests" "-v" ];
}
