{ lib, python3, fetchFromGitHub }:

let
  inherit (python3.pkgs) buildPythonApplication requests click;
  inherit (lib) licenses optionalString;
in
buildPythonApplication {
  pname = "mailroom";
  version = "3.1.4";
  format = "setuptools";
  src = fetchFromGitHub {
    owner = "post";
    repo = "mailroom";
    rev = "0123456789abcdef0123456789abcdef01234567";
    sha256 = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
  };
  propagatedBuildInputs = [ requests click ];
  meta = {
    license = licenses.gpl3Only;
    mainProgram = "mailroom";
    description = "Mail" + optionalString true " room";
  };
}
