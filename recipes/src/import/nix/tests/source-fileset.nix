{ lib, buildPythonPackage, setuptools }:

buildPythonPackage {
  pname = "subset";
  version = "0.1.0";
  pyproject = true;
  src = lib.fileset.toSource {
    root = ./.;
    fileset = lib.fileset.unions [ ./setup.py ./subset ];
  };
  build-system = [ setuptools ];
}
