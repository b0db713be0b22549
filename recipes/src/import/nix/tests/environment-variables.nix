{ buildPythonPackage, fetchPypi, setuptools-scm, cython }:

buildPythonPackage rec {
  pname = "varied";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools-scm cython ];
  SETUPTOOLS_SCM_PRETEND_VERSION = version;
  env = {
    NO_EXTENSION = 1;
    VERBOSE = true;
    NIX_CFLAGS_COMPILE = "-O2";
    "odd.name" = "x";
  };
  env.LATER = "yes";
  pypaBuildFlags = [
    "--config-setting=--build-option=--fast"
    "-Csetup-args=-Dblas=none"
    "--skip-dependency-check"
    "--sdist"
  ];
}
