{ buildPythonPackage, fetchPypi, setuptools }:

buildPythonPackage rec {
  pname = "pinned";
  version = "2.0";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  postPatch = ''
    substituteInPlace pyproject.toml \
      --replace-fail "setuptools==68.0.0" "setuptools" \
      --replace-fail 'version = "0.0.0"' 'version = "${version}"'
    substituteInPlace src/*.py --replace "/usr/bin/env" "env"
    sed -i '/pytest-runner/d' setup.cfg
    rm -r vendor
  '';
}
