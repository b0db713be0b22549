{ buildPythonApplication, fetchPypi, setuptools }:

buildPythonApplication rec {
  pname = "wrapped-words";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  makeWrapperArgs = [ "--set" "A" "1" "--append-flags" "-x -y" "--run" "'echo hello'" ];
  dontWrapPythonPrograms = true;
  dontUsePythonRemoveTestsDir = true;
}
