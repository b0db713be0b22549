{
  lib,
  buildPythonPackage,
  fetchPypi,
  hatchling,
  httpx,
  redis,
  rich,
  sqlalchemy,
  pytestCheckHook,
}:

buildPythonPackage rec {
  pname = "satchel";
  version = "3.2.0";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ hatchling ];

  optional-dependencies = {
    cli = [ rich ];
    db = [ sqlalchemy ] ++ sqlalchemy.optional-dependencies.asyncio;
    none = [ ];
    all = optional-dependencies.cli ++ optional-dependencies.db;
  };

  nativeCheckInputs = [
    pytestCheckHook
    httpx
  ]
  ++ lib.concatAttrValues optional-dependencies;

  checkInputs = lib.flatten (lib.attrValues { inherit (optional-dependencies) cli; });
}
