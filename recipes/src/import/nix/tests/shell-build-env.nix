{ pkgs }:

{
  tools = pkgs.python3.buildEnv.override {
    extraLibs = with pkgs.python3Packages; [ httpx rich ];
    ignoreCollisions = true;
  };
  other = pkgs.python3.withPackages (ps: [ ps.toolz (ps.callPackage ./derivation.nix { }) ]);
}
