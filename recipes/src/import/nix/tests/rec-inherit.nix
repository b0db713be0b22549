{
  lib,
  buildPythonPackage,
  fetchPypi,
  hatchling,
  attrs,
}:

buildPythonPackage rec {
  pname = "quill-notes";
  version = "2.4.1";
  pyproject = true;

  src = fetchPypi {
    pname = "quill_notes";
    inherit version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };

  build-system = [ hatchling ];
  dependencies = [ attrs ];
  pythonImportsCheck = [ "quill_notes" ];

  meta = {
    description = "Notes with a nib";
    homepage = "https://quill.example/";
    changelog = "https://quill.example/changes/${version}";
    license = lib.licenses.mit;
    maintainers = with lib.maintainers; [
      alice
      bob
    ];
  };
}
