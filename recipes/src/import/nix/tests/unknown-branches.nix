{ lib, buildPythonPackage, fetchPypi, setuptools }:

let
  old = buildPythonPackage rec {
    pname = "either";
    version = "1.0";
    pyproject = true;
    src = fetchPypi { inherit pname version; hash = ""; };
    build-system = [ setuptools ];
  };
in
if lib.versionAtLeast lib.trivial.release "21.05" then old.overridePythonAttrs { version = "2.0"; } else old
