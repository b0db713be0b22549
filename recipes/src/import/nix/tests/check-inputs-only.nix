{ buildPythonPackage, fetchPypi, setuptools, pytest, mypy }:

buildPythonPackage rec {
  pname = "idle";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  checkInputs = [ pytest mypy ];
  doInstallCheck = true;
  dontUsePytestCheck = true;
}
