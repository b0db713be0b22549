{ pkgs }:

let
  base = pkgs.python3Packages.callPackage ./toolz.nix { };
in
{
  newer = base.overridePythonAttrs (old: rec {
    version = "0.12.0";
    src = pkgs.fetchPypi {
      inherit (old) pname;
      inherit version;
      hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    };
    dependencies = (old.dependencies or [ ]) ++ [ pkgs.python3Packages.six ];
  });
}
