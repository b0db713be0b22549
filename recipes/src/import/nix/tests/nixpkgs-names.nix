{
  buildPythonPackage,
  fetchPypi,
  setuptools,
  dateutil,
  django_4,
  jaraco_text,
  opencv4,
  pygobject3,
  tkinter,
  pyyaml,
  ruamel-yaml,
  sqlalchemy_1_4,
  zope_interface,
  flask,
  werkzeug,
  openssl,
  python3Packages,
  some,
}:

buildPythonPackage rec {
  pname = "many-names";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  dependencies = [
    dateutil
    django_4
    jaraco_text
    opencv4
    pygobject3
    tkinter
    pyyaml
    ruamel-yaml
    sqlalchemy_1_4
    zope_interface
    (flask.override { inherit werkzeug; })
    (werkzeug.overridePythonAttrs (old: { doCheck = false; }))
    openssl
    python3Packages.six
    some.thing.strange
    "not a package"
  ];
  pythonPath = [ pyyaml ];
}
