{ buildPythonPackage, fetchPypi, setuptools, requests, pythonRelaxDepsHook }:

buildPythonPackage rec {
  pname = "relaxed";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  nativeBuildInputs = [ pythonRelaxDepsHook setuptools ];
  propagatedBuildInputs = [ requests ];
  pythonRelaxDeps = [ "requests" "urllib3" ];
  pythonRemoveDeps = [ "argparse" ];
  pythonNamespaces = [ "relaxed" ];
}
