{
  lib,
  buildPythonPackage,
  fetchFromGitHub,
  setuptools,
  setuptools-scm,
}:

buildPythonPackage (finalAttrs: {
  pname = "lantern";
  version = "1.3.0";
  pyproject = true;

  src = fetchFromGitHub {
    owner = "glow";
    repo = "lantern";
    tag = "v${finalAttrs.version}";
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };

  build-system = [
    setuptools
    setuptools-scm
  ];

  passthru.optional-dependencies.wick = [ setuptools ];

  nativeCheckInputs = finalAttrs.passthru.optional-dependencies.wick;

  meta = {
    description = "Light for ${finalAttrs.pname} users";
    license = lib.licenses.asl20;
    homepage = finalAttrs.src.owner;
  };
})
