{ lib, buildPythonPackage, fetchPypi, setuptools, pytestCheckHook, python }:

buildPythonPackage rec {
  pname = "flagged";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  checkInputs = [ pytestCheckHook ];
  pytestFlagsArray = [
    "-m 'not slow'"
    "--deselect=tests/test_a.py::test_b"
    "tests/"
    "--basetemp=$TMPDIR"
    "--python=${python.interpreter}"
  ];
}
