{ nixpkgs ? <nixpkgs>, system ? builtins.currentSystem }:

let
  pkgs = import nixpkgs { inherit system; };
in
pkgs.python3Packages.buildPythonPackage {
  pname = "searcher";
  version = "0.1";
  pyproject = true;
  src = builtins.path {
    path = ./.;
    name = "searcher";
  };
  build-system = [ pkgs.python3Packages.setuptools ];
}
