{ lib, buildPythonPackage, fetchPypi, poetry-core, pydantic }:

let
  pname = "parcel";
  version = "5.0.0rc1";
  owner = "post";
  deps = [ pydantic ];
in
buildPythonPackage {
  inherit pname version;
  pyproject = true;
  src = fetchPypi {
    inherit pname version;
    hash = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
  };
  build-system = [ poetry-core ];
  dependencies = deps;
  meta = with lib; {
    description = "Parcels of ${owner}";
    license = licenses.bsd3;
    maintainers = [ maintainers.carol ];
    platforms = platforms.unix;
  };
}
