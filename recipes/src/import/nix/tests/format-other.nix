{ python3Packages, fetchurl }:

python3Packages.buildPythonPackage rec {
  pname = "by-hand";
  version = "2";
  pyproject = false;
  src = fetchurl {
    url = "https://hand.example/by-hand-2.tar.gz";
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  buildPhase = ''
    make
  '';
  installPhase = ''
    mkdir -p $out/lib
    make install PREFIX=$out
  '';
  dontConfigure = true;
}
