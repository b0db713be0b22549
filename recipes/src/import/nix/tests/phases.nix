{ buildPythonPackage, fetchPypi, setuptools }:

buildPythonPackage rec {
  pname = "phased";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  postUnpack = "echo unpacked";
  prePatch = ''
    rm -r tests/data
  '';
  postPatch = "sed -i 's/^from x/from y/' phased.py";
  preConfigure = ''
    export PHASED=1
  '';
  postConfigure = ''
    echo configured
  '';
  preBuild = ''
    make headers
  '';
  postBuild = ''
    make docs
  '';
  preInstall = "echo installing";
  postInstall = ''
    echo installed
  '';
  preInstallCheck = "export X=1";
}
