{ lib, stdenv, buildPythonPackage, fetchPypi, numpy }:

buildPythonPackage rec {
  pname = "kernels";
  version = "0.5.2";
  format = "wheel";
  src =
    if stdenv.hostPlatform.isLinux then
      fetchPypi {
        inherit pname version format;
        python = "cp312";
        abi = "cp312";
        platform = "manylinux_2_17_x86_64.manylinux2014_x86_64";
        hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
      }
    else
      fetchPypi {
        inherit pname version format;
        python = "cp312";
        abi = "cp312";
        platform = "macosx_11_0_arm64";
        hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=";
      };
  dependencies = [ numpy ];
  meta.sourceProvenance = with lib.sourceTypes; [ binaryNativeCode ];
}
