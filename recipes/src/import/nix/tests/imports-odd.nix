{ buildPythonPackage, fetchPypi, setuptools, rustPlatform }:

buildPythonPackage rec {
  pname = "dashed-name";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  cargoRoot = "src/rust";
  cargoHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  nativeBuildInputs = [ rustPlatform.cargoSetupHook ];
  build-system = [ setuptools ];
  pythonImportsCheck = [ "dashed-name" "dashed_name" ];
}
