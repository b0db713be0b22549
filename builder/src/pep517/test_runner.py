"""Runs a source's tests against the *installed* package.

What of the source a test process sees is said in `wheelwright_tests.py`.
"""
import glob
import json
import os
import re
import sys


class Refusal(Exception):
    def __init__(self, kind, message, **details):
        Exception.__init__(self, message)
        self.answer = dict(details, kind=kind, message=message)


def expand(patterns, key):
    """Paths (with an optional `::test`) that the patterns match; each must match."""
    found, nothing = [], []
    for pattern in patterns:
        path, mark, test = pattern.partition("::")
        paths = sorted(glob.glob(path, recursive=True))
        if not paths:
            nothing.append(pattern)
        found.extend((path.rstrip("/"), mark + test) for path in paths)
    if nothing:
        raise Refusal("path-matches-nothing", "`{}` matches nothing".format(key), paths=nothing, key=key)
    return found


def alternatives(names):
    return "(" + " or ".join(names) + ")"


def split_keyword(flags):
    """The flags without `-k EXPRESSION` (ours would replace it), and the expressions."""
    rest, expressions = [], []
    flags = iter(flags)
    for flag in flags:
        if flag == "-k":
            expressions.append("({})".format(next(flags, "")))
        elif flag.startswith("-k"):
            expressions.append("({})".format(flag[2:].lstrip("=")))
        else:
            rest.append(flag)
    return rest, expressions


def run_pytest(spec, is_word, answer):
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise Refusal("runner-missing", "pytest cannot be imported: {}".format(error), missing_module=error.name)
    paths = ["".join(pair) for pair in expand(spec["enabled_paths"], "enabled-paths")]
    flags, keywords = split_keyword(spec["flags"])
    enabled, disabled = spec["enabled_tests"], spec["disabled_tests"]
    # What `-k` cannot read is told apart by the plugin.
    words = [name for name in disabled if is_word(name)]
    if enabled and all(map(is_word, enabled)):
        keywords.append(alternatives(enabled))
    if words:
        keywords.append("not " + alternatives(words))
    # The cache has options that projects use: it is only kept out of the source.
    cache = os.path.join(os.environ.get("TMPDIR") or "/tmp", "pytest-cache")
    arguments = ["-p", "wheelwright_pytest", "-o", "cache_dir=" + cache]
    if not any(flag.startswith("--rootdir") for flag in flags):
        arguments.append("--rootdir=" + os.getcwd())
    if keywords:
        arguments += ["-k", " and ".join(keywords)]
    if spec["marks"]:
        arguments += ["-m", " and ".join("({})".format(mark) for mark in spec["marks"])]
    for path, test in expand(spec["disabled_paths"], "disabled-paths"):
        arguments.append("--deselect=" + path + test if test else "--ignore=" + path)
    # Last of all, so that a test's own helpers are found, and nothing is hidden.
    sys.path.append(os.getcwd())

    class Counter:
        def pytest_deselected(self, items):
            answer["deselected"] += len(items)

        def pytest_collectreport(self, report):
            if report.failed:
                answer["failed"].append(report.nodeid)

        def pytest_runtest_logreport(self, report):
            if report.failed:
                answer["failed"].append(report.nodeid)
            elif report.skipped:
                answer["skipped"] += 1
            elif report.when == "call":
                answer["passed"] += 1

    arguments += flags + paths
    print("pytest", " ".join(arguments), flush=True)
    code = int(pytest.main(arguments, plugins=[Counter()]))
    if code == 5 or (code == 0 and not answer["passed"] and not answer["skipped"]):
        raise Refusal("no-tests", "pytest found no test to run")
    if answer["failed"]:
        raise Refusal("tests-failed", "tests failed")
    if code != 0:
        raise Refusal("runner-failed", "pytest ended with status {}".format(code), code=code)


def flatten(suite):
    import unittest

    for test in suite:
        if isinstance(test, unittest.TestSuite):
            for inner in flatten(test):
                yield inner
        else:
            yield test


def run_unittest(spec, answer):
    import unittest

    enabled, disabled = spec["enabled_tests"], spec["disabled_tests"]
    hidden = [os.path.abspath(path) for path, _ in expand(spec["disabled_paths"], "disabled-paths")]

    def wanted(test):
        name = test.id()
        module = sys.modules.get(type(test).__module__)
        file = os.path.abspath(getattr(module, "__file__", None) or "")
        # A module that cannot be imported is a test of its own, with its dotted name.
        dotted = os.path.abspath(name.replace("unittest.loader._FailedTest.", "").replace(".", "/"))
        for path in hidden:
            stem = path[:-3] if path.endswith(".py") else path
            if file == path or dotted == stem or (file + "\0" + dotted).startswith(path + os.sep):
                return False
            if dotted.startswith(stem + os.sep):
                return False
        if any(part in name for part in disabled):
            return False
        return not enabled or any(part in name for part in enabled)

    class Loader(unittest.TestLoader):
        def discover(self, *arguments, **options):
            suite = unittest.TestLoader.discover(self, *arguments, **options)
            return self.suiteClass([test for test in flatten(suite) if wanted(test)])

    starts = [path for path, _ in expand(spec["enabled_paths"], "enabled-paths")] or ["."]
    ran = 0
    for start in starts:
        arguments = ["python -m unittest", "discover"] + spec["flags"]
        if os.path.isdir(start):
            arguments += ["-s", start]
        else:
            arguments += ["-s", os.path.dirname(start) or ".", "-p", os.path.basename(start)]
        print(" ".join(arguments), flush=True)
        try:
            program = unittest.main(module=None, argv=arguments, testLoader=Loader(), exit=False)
        except SystemExit as error:
            # From 3.12 on: 5 when there was nothing to run.
            if error.code not in (0, 5):
                raise Refusal("runner-failed", "unittest ended with status {}".format(error.code))
            continue
        result = program.result
        ran += result.testsRun
        bad = [test.id() for test, _ in result.failures + result.errors]
        bad += [test.id() for test in result.unexpectedSuccesses]
        answer["failed"] += bad
        answer["skipped"] += len(result.skipped)
        answer["passed"] += result.testsRun - len(bad) - len(result.skipped)
    if answer["failed"]:
        raise Refusal("tests-failed", "tests failed")
    if ran == 0:
        raise Refusal("no-tests", "unittest found no test to run")


def text_of(error):
    """An exception's text, which is code of the package that raised it."""
    try:
        return str(error)
    except BaseException:
        return "(it has no text that can be shown)"


def as_json(answer):
    """JSON for any reader: a lone surrogate is written as its escape's letters."""
    text = json.dumps(answer, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: "\\\\u{:04x}".format(ord(found.group())), text)


def main():
    spec_path = os.path.abspath(sys.argv[1])
    job = os.path.dirname(spec_path)
    root = os.path.dirname(job)
    with open(spec_path, encoding="utf-8") as file:
        spec = json.load(file)
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != job]
    del sys.argv[1:]
    for folder in ("tmp", "home"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    answer = {"passed": 0, "skipped": 0, "deselected": 0, "failed": []}
    # Behind all else, and for the workers of a runner as well.
    sys.path.append(os.path.join(job, "plugin"))
    from wheelwright_tests import FINDER, is_word

    FINDER.put_first()
    try:
        if spec["runner"] == "pytest":
            run_pytest(spec, is_word, answer)
        else:
            run_unittest(spec, answer)
        answer["ok"] = True
    except Refusal as refusal:
        answer.update(refusal.answer, ok=False)
        sys.stdout.flush()
        sys.stderr.write("error: {}\n".format(refusal))
    except BaseException as error:
        import traceback

        traceback.print_exc()
        message = "{}: {}".format(type(error).__name__, text_of(error))
        answer.update(ok=False, kind="runner-failed", message=message[:2000])
    # A test is named once, even when its teardown fails too.
    answer["failed_count"] = len(set(answer["failed"]))
    answer["failed"] = list(dict.fromkeys(answer["failed"]))[:200]
    sys.stdout.flush()
    sys.stderr.flush()
    path = os.path.join(root, spec["answer"])
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(as_json(answer))
    os.replace(path + ".part", path)
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
