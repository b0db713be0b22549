{ buildPythonPackage, fetchPypi, setuptools }:

buildPythonPackage rec {
  pname = "folio";
  version = "1.0";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  postPatch = ''
    cat > notes.txt <<END
      indented ''${kept}
    END
    # a quote: '''quoted'''
    echo 'tab:''\t'
  '';
  preBuild = "export A=1\nexport B=\"two\"";
}
