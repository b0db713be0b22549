{ lib, stdenv, buildPythonPackage, fetchPypi, setuptools, libcxx, zlib, cffi, pkg-config, isPyPy, numpy, gfortran, pkgconfig }:

buildPythonPackage rec {
  pname = "quiet";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools gfortran pkgconfig ];
  nativeBuildInputs = lib.optionals (!isPyPy) [ cffi pkg-config ];
  buildInputs = [ zlib ] ++ lib.optional stdenv.isDarwin libcxx;
  dontUsePythonImportsCheck = true;
  meta.maintainers = lib.maintainers.erin;
  meta.license = lib.licenses.mit-cmu;
}
