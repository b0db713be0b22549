{ lib, stdenv, buildPythonPackage, fetchPypi, python, isPy3k, isPy311, setuptools, magic, python-magic, pywin32, pexpect }:

buildPythonPackage rec {
  pname = "forked";
  version = "1.0";
  pyproject = true;
  disabled = !isPy3k;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  dependencies = [
    (if stdenv.hostPlatform.isWindows then pywin32 else pexpect)
  ] ++ (if isPy311 then [ python-magic ] else [ magic ])
    ++ lib.optionals (stdenv.hostPlatform.system == "x86_64-linux") [ python.pkgs.numpy ]
    ++ lib.optionals (python.implementation == "pypy") [ python.pkgs.greenlet ]
    ++ lib.optionals stdenv.hostPlatform.isAarch64 [ python.pkgs.psutil ];
}
