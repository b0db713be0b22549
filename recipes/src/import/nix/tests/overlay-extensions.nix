final: prev: {
  pythonPackagesExtensions = prev.pythonPackagesExtensions ++ [
    (pyfinal: pyprev: {
      toolz = pyfinal.callPackage ./toolz.nix { };
    })
  ];
}
