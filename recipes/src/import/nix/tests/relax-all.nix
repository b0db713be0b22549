{ buildPythonPackage, fetchPypi, setuptools }:

buildPythonPackage rec {
  pname = "relaxed-all";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  pythonRelaxDeps = true;
  pythonRemoveDeps = true;
  dontCheckRuntimeDeps = true;
}
