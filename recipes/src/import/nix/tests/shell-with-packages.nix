with import <nixpkgs> { };

(python312.withPackages (
  ps: with ps; [
    numpy
    pandas
    uvicorn
  ]
  ++ uvicorn.optional-dependencies.standard
  ++ lib.optionals (pythonOlder "3.11") [ tomli ]
)).env
