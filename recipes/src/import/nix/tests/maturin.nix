{ buildPythonPackage, fetchPypi, rustPlatform }:

buildPythonPackage rec {
  pname = "ferric";
  version = "1.0.1";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = with rustPlatform; [
    cargoSetupHook
    maturinBuildHook
  ];
}
