# Stands for nixpkgs: what an exported packages.nix is called with, and no
# more, so that a word that nixpkgs does not offer to a package fails here.
# Gives what each package came to.
#
# others: names of packages that nixpkgs has and the exported set has not.
{ packages, others, python ? "3.11" }:

let
  older = a: b: builtins.compareVersions a b < 0;
  lib = {
    optionals = condition: list: if condition then list else [ ];
    # Those that the examples name; nixpkgs has hundreds.
    licenses = builtins.listToAttrs (map (name: { inherit name; value = { shortName = name; }; })
      [ "asl20" "bsd2" "bsd3" "isc" "mit" "mpl20" "psfl" "unlicense" ]);
  };

  # A package is shown by its name: tests of two packages may need each other.
  shown = value:
    if builtins.isList value then map shown value
    else if builtins.isPath value then toString value
    else if builtins.isAttrs value then value.shown or (builtins.mapAttrs (_: shown) value)
    else value;
  summary = kind: given: { shown = given.pname; all = shown given // { inherit kind; }; };
  build = kind: given:
    let final = if builtins.isFunction given then given final else given;
    in summary kind final;

  call = scope: file: with_:
    let f = import file;
    in f (builtins.intersectAttrs (builtins.functionArgs f) scope // with_);

  scope = final: final // {
    inherit lib;
    stdenv.hostPlatform = { isLinux = true; isDarwin = false; };
    fetchPypi = { pname, version, hash, format ? "sdist", ... }: { project = pname; inherit version hash format; };
    buildPythonPackage = build "library";
    buildPythonApplication = build "application";
    pythonOlder = older python;
    pythonAtLeast = version: !(older python version);
    callPackage = call (scope final);
  };

  python3 = {
    override = { self, packageOverrides }:
      let
        prev = builtins.listToAttrs (map (pname: { name = pname; value.shown = pname; }) others);
        own = packageOverrides (scope final) (scope prev);
        final = prev // own;
      in
      { pkgs = final; };
  };
in
builtins.mapAttrs (_: package: package.all) (import packages { inherit python3; })
