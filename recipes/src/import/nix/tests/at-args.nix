{ buildPythonPackage, fetchPypi, flit-core, withColour ? false, colorama, ... }@args:

buildPythonPackage {
  pname = args.name or "brush";
  version = "0.3";
  pyproject = true;
  src = fetchPypi {
    pname = "brush";
    version = "0.3";
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  };
  build-system = [ args.flit-core ];
  dependencies = if withColour then [ colorama ] else [ ];
}
