{ buildPythonPackage, fetchFromGitHub, cmake, ninja, scikit-build-core, pybind11 }:

buildPythonPackage rec {
  pname = "nested";
  version = "1.20.1";
  pyproject = true;
  src = fetchFromGitHub {
    owner = "dolls";
    repo = "nested";
    rev = "refs/tags/release-${version}";
    fetchSubmodules = true;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  nativeBuildInputs = [ cmake ninja ];
  dontUseCmakeConfigure = true;
  build-system = [ scikit-build-core pybind11 ];
}
