{ python3Packages }:

rec {
  toolz = python3Packages.callPackage ./toolz.nix { };
  demo = python3Packages.callPackage ./derivation.nix { inherit toolz; };
  again = toolz;
  application = python3Packages.toPythonApplication toolz;
  missing = python3Packages.callPackage ./no-such-file.nix { };
}
