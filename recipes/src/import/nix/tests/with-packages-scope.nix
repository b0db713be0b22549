{ lib, python3Packages, fetchurl }:

with lib;
with python3Packages;

buildPythonPackage rec {
  name = "ember-${version}";
  version = "0.9";
  src = fetchurl {
    url = "https://ember.example/dist/${name}.tar.gz";
    sha256 = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
  };
  propagatedBuildInputs = [ requests ] ++ optionals (pythonOlder "3.11") [ tomli ];
  meta.license = licenses.lgpl3Plus;
  meta.description = "Embers";
}
