{ lib, buildPythonApplication, setuptools, flask }:

buildPythonApplication {
  pname = "storefront";
  version = "0.1.0";
  pyproject = true;
  src = lib.cleanSource ../shop;
  build-system = [ setuptools ];
  dependencies = [ flask ];
  doCheck = true;
}
