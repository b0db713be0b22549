{
  pkgs ? import <nixpkgs> { },
}:

pkgs.mkShell {
  name = "workbench";
  packages = with pkgs; [
    git
    python311
    python311Packages.black
    (python311.withPackages (ps: [ ps.flask ]))
  ];
  buildInputs = [ pkgs.python311.pkgs.isort ];
  shellHook = ''
    export FLASK_DEBUG=1
  '';
}
