let
  pkgs = import <nixpkgs> {
    overlays = [ (import ./overlay.nix) ];
  };
in
pkgs.mkShell {
  packages = [
    (pkgs.python3.withPackages (ps: [ ps.toolz ps.attrs ]))
    pkgs.demo
  ];
}
