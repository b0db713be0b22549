{
  lib,
  stdenv,
  buildPythonPackage,
  fetchPypi,
  pythonOlder,
  pythonAtLeast,
  isPyPy,
  python,
  setuptools,
  importlib-metadata,
  typing-extensions,
  tomli,
  cffi,
  pyobjc-core,
  uvloop,
  standard-cgi,
  dataclasses,
}:

buildPythonPackage rec {
  pname = "conditional";
  version = "1.0";
  pyproject = true;
  disabled = pythonOlder "3.8" || pythonAtLeast "3.14";
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ] ++ lib.optional (pythonOlder "3.11") tomli;
  dependencies =
    [ typing-extensions ]
    ++ lib.optionals (pythonOlder "3.10") [ importlib-metadata ]
    ++ lib.optionals (!isPyPy) [ cffi ]
    ++ lib.optionals (stdenv.hostPlatform.isDarwin && pythonAtLeast "3.12") [ pyobjc-core ]
    ++ lib.optionals (!(stdenv.isDarwin || isPyPy)) [ uvloop ]
    ++ lib.optional (lib.versionAtLeast python.version "3.13") standard-cgi
    ++ lib.optional (lib.versionOlder python.pythonVersion "3.7") dataclasses;
}
