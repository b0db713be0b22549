{ buildPythonPackage, fetchPypi, isPyPy, isPy27, pythonOlder, pythonAtLeast, setuptools }:

buildPythonPackage rec {
  pname = "picky";
  version = "0.7";
  pyproject = true;
  disabled = isPyPy || isPy27 || pythonOlder "3.9";
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
}
