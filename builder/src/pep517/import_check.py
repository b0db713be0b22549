"""Imports modules one after the other, in one process, in an empty folder."""
import importlib
import importlib.metadata
import json
import os
import re
import sys
import traceback


def text_of(error):
    """An exception's text, which is code of whoever raised it."""
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
    for folder in ("tmp", "home", "empty"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    os.chdir(os.path.join(root, "empty"))
    answer = {"ok": False, "imported": [], "failed": []}

    def say():
        path = os.path.join(root, spec["answer"])
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(as_json(answer))
        os.replace(path + ".part", path)

    for name in spec["modules"]:
        # A module may end the process: what was being imported is known all the same.
        answer["current"] = name
        say()
        try:
            importlib.import_module(name)
            answer["imported"].append(name)
            continue
        except BaseException as error:
            frames = error.__traceback__
            while frames is not None and ours(frames.tb_frame.f_code.co_filename):
                frames = frames.tb_next
            sys.stderr.write("import {} failed:\n".format(name))
            text = traceback.format_exception(type(error), error, frames)
            sys.stderr.write("".join(text))
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            answer["failed"].append(
                {
                    "module": name,
                    "exception": type(error).__name__,
                    "message": text_of(error)[:2000],
                    "missing_module": missing,
                }
            )
    for script in scripts(spec["distribution"]):
        answer["current"] = script.value
        say()
        try:
            check_script(script, answer)
        except BaseException as error:
            # The script's own affair (an extra it needs): its module is there.
            sys.stderr.write("note: {} cannot be looked at: {}\n".format(script.value, type(error).__name__))
    del answer["current"]
    if answer["failed"] and spec["lenient"]:
        answer["of_extras"] = of_extras(spec["distribution"])
    answer["ok"] = not answer["failed"]
    sys.stdout.flush()
    sys.stderr.flush()
    say()
    # What the modules started, and what they do at exit, is not asked for.
    os._exit(0 if answer["ok"] else 1)


def scripts(name):
    """The executables the distribution promises, but for those of extras."""
    try:
        points = importlib.metadata.distribution(name).entry_points
    except importlib.metadata.PackageNotFoundError:
        return []
    groups = ("console_scripts", "gui_scripts")
    return [point for point in points if point.group in groups and "[" not in point.value]


def of_extras(name):
    """The projects that extras of the distribution ask for."""
    try:
        requires = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = (re.match("[A-Za-z0-9._-]+", text) for text in requires if re.search(r";.*\bextra\s*==", text))
    return sorted({name.group() for name in names if name})


def check_script(script, answer):
    """Notes when what the script calls is not there."""
    module, _, path = (part.strip() for part in script.value.partition(":"))
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if module != error.name and not module.startswith("{}.".format(error.name)):
            raise
        why = "there is no module `{}`".format(error.name)
    else:
        try:
            for attribute in filter(None, path.split(".")):
                found = getattr(found, attribute)
            return
        except AttributeError:
            why = "`{}` has no `{}`".format(module, path)
    sys.stderr.write("script {} = {}: {}\n".format(script.name, script.value, why))
    answer["failed"].append(
        {"module": script.value, "exception": "", "message": why, "missing_module": None, "script": script.name}
    )


def ours(file_name):
    return file_name == __file__ or "importlib" in file_name


if __name__ == "__main__":
    main()
