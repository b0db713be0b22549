{ lib, buildPythonApplication, fetchPypi, setuptools, ffmpeg }:

buildPythonApplication rec {
  pname = "wrapped-hole";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  makeWrapperArgs = [
    "--prefix PATH : ${lib.makeBinPath [ ffmpeg ]}"
    "--set A 1"
  ];
}
