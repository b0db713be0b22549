{ buildPythonPackage, fetchPypi, setuptools, nose2, stdenv }:

buildPythonPackage rec {
  pname = "handmade";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  nativeCheckInputs = [ nose2 ];
  doCheck = !stdenv.hostPlatform.isDarwin;
  checkPhase = ''
    runHook preCheck
    nose2 -v
    runHook postCheck
  '';
}
