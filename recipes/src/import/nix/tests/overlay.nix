final: prev: {
  python3 = prev.python3.override {
    packageOverrides = pyfinal: pyprev: {
      toolz = pyfinal.callPackage ./toolz.nix { };
      flask = pyprev.flask.overridePythonAttrs (old: { doCheck = false; });
    };
  };
  demo = final.callPackage ./derivation.nix { };
  hello = prev.hello;
}
