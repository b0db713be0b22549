{
  lib,
  buildPythonPackage,
  fetchFromGitHub,
  rustPlatform,
  cargo,
  rustc,
  setuptools-rust,
  openssl,
  pkg-config,
}:

buildPythonPackage rec {
  pname = "oxide";
  version = "1.0.1";
  pyproject = true;
  src = fetchFromGitHub {
    owner = "iron";
    repo = "oxide";
    tag = "v${version}";
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  cargoDeps = rustPlatform.fetchCargoVendor {
    inherit pname version src;
    hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=";
  };
  nativeBuildInputs = [
    cargo
    rustc
    pkg-config
    rustPlatform.cargoSetupHook
  ];
  build-system = [ setuptools-rust ];
  buildInputs = [ openssl.dev ];
}
