{ lib, buildPythonApplication, fetchPypi, setuptools, ffmpeg }:

buildPythonApplication rec {
  pname = "wrapped";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  makeWrapperArgs = [
    "--set WRAPPED_MODE 'a b'"
    "--set-default LOG info"
    "--prefix PATH : /opt/tools/bin"
    "--prefix PATH : /opt/more/bin"
    "--suffix XDG_DATA_DIRS : /usr/share"
    "--unset PYTHONPATH"
    "--add-flags --quiet"
    "--chdir /srv"
  ];
  permitUserSite = true;
}
