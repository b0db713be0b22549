{ lib, buildPythonPackage, fetchurl, setuptools }:

buildPythonPackage rec {
  pname = "jaraco.stamp";
  version = "4.12.3";
  pyproject = true;
  src = fetchurl {
    url = "https://stamps.example/${lib.versions.majorMinor version}/${
      lib.replaceStrings [ "." ] [ "_" ] pname
    }-${lib.concatStringsSep "." [ (lib.versions.major version) "12" "3" ]}.tar.gz";
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  pythonImportsCheck = [
    (builtins.replaceStrings [ "-" ] [ "_" ] "jaraco-stamp")
    (lib.removePrefix "x" "xink")
    (lib.toLower "PAD")
  ];
  meta.description = ''
    Stamps of
    many   kinds
  '';
  meta.homepage = "https://stamps.example/${lib.toString 7}";
}
