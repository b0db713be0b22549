{ buildPythonPackage, fetchPypi, setuptools }:

buildPythonPackage rec {
  pname = "zipped";
  version = "2023.01.05";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    extension = "zip";
    sha256 = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
}
