{ buildPythonPackage, fetchFromGitHub, flit-core }:

buildPythonPackage rec {
  pname = "brook";
  version = "2.5";
  pyproject = true;
  src = fetchFromGitHub {
    owner = "water";
    repo = pname;
    rev = "v${version}";
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  };
  build-system = [ flit-core ];
}
