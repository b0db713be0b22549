{ buildPythonPackage, fetchzip, setuptools }:

buildPythonPackage rec {
  pname = "crate";
  version = "11.0";
  pyproject = true;
  src = fetchzip {
    url = "https://crate.example/crate-${version}.zip";
    stripRoot = false;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  sourceRoot = "source/lib";
}
