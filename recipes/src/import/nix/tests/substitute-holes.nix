{ lib, stdenv, buildPythonPackage, fetchPypi, setuptools, ffmpeg, openssl }:

buildPythonPackage rec {
  pname = "reels";
  version = "2.0";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  buildInputs = [ openssl ];
  postPatch = ''
    substituteInPlace reels/run.py \
      --replace-fail "ffmpeg" "${lib.getExe ffmpeg}"
  '';
  postInstall = ''
    install -Dm644 reels.desktop $out/share/applications/reels.desktop
  '';
  preFixup = ''
    rm -r ${placeholder "out"}/tmp
  '';
  prePatch = ''
    patchShebangs tools
  '';
  preConfigure = lib.optionalString stdenv.hostPlatform.isDarwin ''
    export CFLAGS=-Wno-error
  '';
}
