{ pkgs ? import <nixpkgs> { } }:

let
  python = pkgs.python3.override {
    self = python;
    packageOverrides = pyfinal: pyprev: {
      toolz = pyfinal.callPackage ./toolz.nix { };
    };
  };
  demo = pkgs.callPackage ./derivation.nix { };
in
pkgs.mkShell {
  packages = [
    (python.withPackages (python-pkgs: [
      python-pkgs.pandas
      python-pkgs.requests
      python-pkgs.toolz
    ]))
    demo
  ];
}
