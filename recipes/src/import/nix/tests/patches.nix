{ lib, stdenv, buildPythonPackage, fetchPypi, fetchpatch, fetchpatch2, replaceVars, setuptools }:

buildPythonPackage rec {
  pname = "patched";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  patches = [
    ./patches/no-network.patch
    (fetchpatch {
      name = "numpy-2.patch";
      url = "https://code.example/patched/commit/abc.patch";
      hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    })
    (fetchpatch2 {
      url = "https://code.example/patched/commit/def.patch?full_index=1";
      hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    })
    (replaceVars ./paths.patch { tool = "x"; })
  ]
  ++ lib.optional stdenv.isDarwin ./darwin.patch
  ++ [ ../common/shared.patch ];
  build-system = [ setuptools ];
}
