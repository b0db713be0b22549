{
  lib,
  buildPythonPackage,
  fetchPypi,
  hatchling,
  httpx,
  redis,
  rich,
  uvicorn,
  celery,
  sqlalchemy,
  pytestCheckHook,
}:

buildPythonPackage rec {
  pname = "toolbelt";
  version = "3.2.0";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ hatchling ];
  dependencies = [
    celery
    uvicorn
  ]
  ++ uvicorn.optional-dependencies.standard
  ++ celery.optional-dependencies.redis
  ++ celery.optional-dependencies.auth;

  optional-dependencies = lib.fix (self: {
    cli = [ rich ];
  });

  nativeCheckInputs = [ pytestCheckHook ];
}
