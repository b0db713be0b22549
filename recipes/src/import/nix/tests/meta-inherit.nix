{ lib, buildPythonPackage, parent, setuptools }:

buildPythonPackage {
  pname = "bindings";
  inherit (parent) version src;
  pyproject = true;
  build-system = [ setuptools ];
  meta = parent.meta // {
    description = "Bindings of the parent";
    license = "BSD-3-Clause";
    broken = true;
  };
}
