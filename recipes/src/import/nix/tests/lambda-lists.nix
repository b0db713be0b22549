{ lib, buildPythonPackage, fetchPypi, setuptools, numpy, scipy, pandas }:

let
  double = f: x: f (f x);
  names = map (n: "gears.${n}") [ "a" "b" ];
  flags = lib.concatMap (t: [ "--deselect" t ]) [ "t1" "t2" ];
in
buildPythonPackage rec {
  pname = "gears";
  version = double (v: v + "1") "1.";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  dependencies = lib.flatten [ numpy [ scipy [ pandas ] ] ];
  pythonImportsCheck = [ pname ] ++ names ++ [ (builtins.head names) ];
  pytestFlags = flags;
}
