"""Which package and which tests are meant, in every process of a test run.

The source is the working folder and gives the tests; the package under test
comes from the environment. Test frameworks put the source (or what a
configuration calls `pythonpath`) in front of sys.path, where a flat layout
would hide the installed package, compiled modules and all. So a finder that
stands before all others binds the package's own names to site-packages,
whatever sys.path says; only its test modules (`tests`, `test`, `conftest`,
`test_*`, `*_test`) come from the source, because that is the file the
framework collected. What is meant stands in `spec.json`, in the folder above
this file's.
"""
import json
import os
import re
import sys

WORD = re.compile(r"[\w:+\-.\[\]]+")
RESERVED = ("and", "or", "not", "True", "False", "None")


class Installed:
    """The finder. A name may be dotted: the package then lies in a namespace."""

    def __init__(self, names, source):
        self.names = frozenset(names)
        self.below = tuple(name + "." for name in names)
        self.site = [path for path in sys.path if path.startswith(sys.prefix + os.sep)]
        self.roots = [source, os.path.join(source, "src")]

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            # Not where its parent looks: a namespace spans the source, too.
            parents = name.split(".")[:-1]
            return self.ask(name, [os.path.join(site, *parents) for site in self.site], target)
        if path is None or not name.startswith(self.below):
            return None
        last = name.rpartition(".")[2]
        if last in ("tests", "test", "conftest") or last.startswith("test_") or last.endswith("_test"):
            found = self.in_source(name, path, target)
            if found is not None:
                return found
        return self.ask(name, path, target)

    def in_source(self, name, path, target):
        for root in self.roots:
            folder = os.path.join(root, *name.split(".")[:-1])
            found = self.ask(name, [folder], target) if os.path.isdir(folder) else None
            if found is None:
                continue
            if found.submodule_search_locations is not None:
                # Compiled test modules are only in the installed package.
                installed = self.ask(name, path, target)
                if installed is not None and installed.submodule_search_locations:
                    found.submodule_search_locations.extend(installed.submodule_search_locations)
            return found
        return None

    def ask(self, name, path, target):
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            found = finder.find_spec(name, path, target)
            if found is not None:
                if found.submodule_search_locations is not None:
                    # A namespace's own list would grow with sys.path.
                    found.submodule_search_locations = list(found.submodule_search_locations)
                return found
        return None

    def put_first(self):
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        sys.meta_path.insert(0, self)


def is_word(name):
    """Whether pytest's `-k` can read the name."""
    return bool(WORD.fullmatch(name)) and name not in RESERVED


def read_spec():
    job = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(job, "spec.json"), encoding="utf-8") as file:
        return json.load(file)


SPEC = read_spec()
FINDER = Installed(SPEC["protect"], os.getcwd())
