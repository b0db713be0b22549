{
  lib,
  stdenv,
  buildPythonPackage,
  fetchPypi,
  setuptools,
  pytestCheckHook,
}:

buildPythonPackage rec {
  pname = "seasonal";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  patchPhase = ''
    touch patched
  '';
  nativeCheckInputs = [ pytestCheckHook ];
  preCheck = ''
    export HOME=$(mktemp -d)
    pushd tests
  ''
  + lib.optionalString stdenv.hostPlatform.isDarwin ''
    export TMPDIR=/tmp
  '';
  postCheck = "popd";
  dontUseSetuptoolsCheck = true;
  dontUsePytestXdist = true;
}
