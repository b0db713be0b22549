{ buildPythonPackage, fetchPypi, isPy27, setuptools }:

buildPythonPackage rec {
  pname = "py3only";
  version = "0.7";
  pyproject = true;
  disabled = isPy27;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
}
