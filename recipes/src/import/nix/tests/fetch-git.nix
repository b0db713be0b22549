{ buildPythonPackage, fetchgit, fetchFromGitLab, setuptools, left ? true }:

buildPythonPackage {
  pname = "branches";
  version = "0-unstable-2024-05-06";
  pyproject = true;
  src = fetchgit {
    url = "https://git.example/branches.git";
    rev = "89abcdef0123456789abcdef0123456789abcdef";
    fetchSubmodules = false;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
}
