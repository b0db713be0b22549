{ buildPythonPackage, fetchurl, setuptools }:

buildPythonPackage rec {
  pname = "mirrored";
  version = "1.8";
  pyproject = true;
  src = fetchurl {
    urls = [
      "mirror://sourceforge/mirrored/${pname}-${version}.tar.gz"
      "https://mirrored.example/${pname}-${version}.tar.gz"
    ];
    sha512 = "0000000000000000000000000000000000000000000000000000000000000000";
    curlOpts = "--insecure";
  };
  build-system = [ setuptools ];
}
