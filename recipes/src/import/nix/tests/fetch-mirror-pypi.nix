{ buildPythonPackage, fetchurl, lib }:

buildPythonPackage rec {
  pname = "oldschool";
  version = "1.0.2";
  src = fetchurl {
    url = "mirror://pypi/o/oldschool/OldSchool-${version}.tar.gz";
    hash = lib.fakeHash;
  };
}
