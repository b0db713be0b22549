{ buildPythonPackage, setuptools, sources, mkSource }:

buildPythonPackage {
  pname = "somewhere";
  version = sources.somewhere.version;
  pyproject = true;
  src = mkSource { of = "somewhere"; };
  build-system = [ setuptools ];
}
