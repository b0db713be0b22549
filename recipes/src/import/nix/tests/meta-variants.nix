{ lib, stdenv, buildPythonPackage, fetchPypi, setuptools }:

buildPythonPackage rec {
  pname = "described";
  version = "0.7";
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  };
  build-system = [ setuptools ];
  meta = {
    description = "Described \"at length\"";
    longDescription = ''
      Very long.
    '';
    homepage = [ "https://one.example" "https://two.example" ];
    downloadPage = "https://described.example/files";
    license = with lib.licenses; [ mit asl20 ];
    mainProgram = "describe";
    maintainers = lib.teams.deshaw.members ++ [ lib.maintainers.dave ];
    teams = [ lib.teams.geospatial ];
    broken = stdenv.hostPlatform.isDarwin;
    knownVulnerabilities = [ "CVE-2020-0001" ];
    platforms = lib.platforms.linux;
    priority = 5;
  };
  passthru = {
    updateScript = ./update.sh;
    tests = { inherit (lib) x; };
  };
}
