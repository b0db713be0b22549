{
  lib,
  stdenv,
  buildPythonPackage,
  fetchPypi,
  setuptools,
  pytestCheckHook,
  pytest-asyncio,
  pytest-cov-stub,
  hypothesis,
  git,
  writableTmpDirAsHomeHook,
}:

buildPythonPackage rec {
  pname = "tested";
  version = "1.2";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  nativeCheckInputs = [
    pytestCheckHook
    pytest-asyncio
    pytest-cov-stub
    hypothesis
    git
    writableTmpDirAsHomeHook
  ];
  pytestFlags = [
    "-Wignore::DeprecationWarning"
    "--timeout=60"
  ];
  enabledTestPaths = [ "tests/unit" ];
  disabledTestPaths = [
    "tests/unit/test_net.py"
  ]
  ++ lib.optionals stdenv.hostPlatform.isDarwin [ "tests/unit/test_fork.py" ];
  disabledTests = [
    "test_download"
    "TestSlow and not test_quick"
  ];
  enabledTests = [ "test_" ];
  enabledTestMarks = [ "unit" ];
  disabledTestMarks = [ "network" "slow" ];
  preCheck = ''
    cd tests
  '';
  postCheck = ''
    cd ..
  '';
  pythonImportsCheck = [ "tested" "tested.inner" ];
}
