{
  lib,
  stdenv,
  buildPythonPackage,
  fetchPypi,
  cython_0,
  setuptools,
  pkg-config,
  which,
  gfortran,
  swig,
  zlib,
  libffi,
  blas,
  lapack,
  hdf5,
  numpy,
  darwin,
  wrapGAppsHook3,
  mystery,
}:

buildPythonPackage rec {
  pname = "compiled";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  nativeBuildInputs = [
    cython_0
    setuptools
    pkg-config
    which
    gfortran
    swig
    wrapGAppsHook3
    mystery
  ];
  buildInputs = [
    zlib
    libffi
    blas
    lapack
    hdf5
    numpy
  ]
  ++ lib.optionals stdenv.isDarwin [ darwin.apple_sdk.frameworks.Accelerate ];
  propagatedNativeBuildInputs = [ libffi ];
}
