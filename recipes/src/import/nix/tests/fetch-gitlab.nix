{ buildPythonPackage, fetchFromGitLab, setuptools }:

buildPythonPackage rec {
  pname = "orchard";
  version = "6.2";
  pyproject = true;
  src = fetchFromGitLab {
    domain = "gitlab.example";
    group = "fruit";
    owner = "trees";
    repo = "orchard";
    tag = version;
    leaveDotGit = true;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  sourceRoot = "${src.name}/python/orchard";
  build-system = [ setuptools ];
}
