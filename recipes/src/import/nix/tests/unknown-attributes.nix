{ lib, stdenv, buildPythonPackage, fetchPypi, setuptools, sphinxHook }:

buildPythonPackage rec {
  pname = "peculiar";
  version = "0.7";
  pyproject = true;
  strictDeps = true;
  __structuredAttrs = true;
  outputs = [ "out" "doc" ];
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  sphinxRoot = "docs";
  postFixup = ''
    wrapProgram $out/bin/peculiar
  '';
  setupHook = ./hook.sh;
  hardeningDisable = [ "all" ];
  catchConflicts = false;
  unpackPhase = "true";
  ${"dyn" + "amic"} = 1;
  ${stdenv.mystery} = 2;
}
