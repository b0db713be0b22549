"""The recipe's word on the tests, in every process that collects them.

PYTEST_DONT_REWRITE. Loaded with `-p`, which pytest-xdist hands on to its
workers: each of them imports the package and collects the tests for itself.
"""
import pytest
from wheelwright_tests import FINDER, SPEC, is_word

# Parametrised names may hold what `-k` cannot read: those are told apart here.
DISABLED = [name for name in SPEC["disabled_tests"] if not is_word(name)]
ENABLED = [] if all(map(is_word, SPEC["enabled_tests"])) else SPEC["enabled_tests"]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests():
    FINDER.put_first()


def pytest_collection_modifyitems(config, items):
    def unwanted(item):
        if any(name in item.nodeid for name in DISABLED):
            return True
        return bool(ENABLED) and not any(name in item.nodeid for name in ENABLED)

    gone = [item for item in items if unwanted(item)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]
