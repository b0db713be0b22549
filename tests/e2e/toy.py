"""A PEP 517 backend for tests: packs `src` into a wheel; `toy.json` says the rest.

`hook.py`, if the project has one, runs first: it stands for whatever real
backends do, and may change `spec` or write below `src`.
"""
import base64
import hashlib
import json
import os
import zipfile


def read_spec():
    with open("toy.json", encoding="utf-8") as file:
        return json.load(file)


def get_requires_for_build_wheel(config_settings=None):
    return read_spec()["get-requires"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    spec = read_spec()
    if os.path.exists("hook.py"):
        with open("hook.py", encoding="utf-8") as file:
            exec(compile(file.read(), "hook.py", "exec"), {"spec": spec, "config": config_settings})
    stem = "{}-{}".format(spec["name"].replace("-", "_"), spec["version"])
    members = {}
    for folder, _, names in os.walk("src"):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                members[os.path.relpath(path, "src")] = file.read()
    for name, text in spec["scripts"].items():
        members[stem + ".data/scripts/" + name] = text.encode()
    head = ["Metadata-Version: 2.1", "Name: " + spec["name"], "Version: " + spec["version"]]
    head += ["Requires-Dist: " + text for text in spec["requires"]]
    members[stem + ".dist-info/METADATA"] = "\n".join(head + [""]).encode()
    pure = "true" if spec["tag"].endswith("-none-any") else "false"
    wheel = "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: {}\nTag: {}\n"
    members[stem + ".dist-info/WHEEL"] = wheel.format(pure, spec["tag"]).encode()
    if spec["console"]:
        lines = ["{} = {}".format(*item) for item in spec["console"].items()]
        members[stem + ".dist-info/entry_points.txt"] = "\n".join(["[console_scripts]"] + lines + [""]).encode()
    record = stem + ".dist-info/RECORD"
    rows = []
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows.append("{},sha256={},{}\n".format(name, digest, len(content)))
    members[record] = "".join(rows + [record + ",,\n"]).encode()
    file_name = "{}-{}.whl".format(stem, spec["tag"])
    with zipfile.ZipFile(os.path.join(wheel_directory, file_name), "w") as archive:
        for name, content in members.items():
            # A name alone is stamped with the clock.
            archive.writestr(name if spec.get("clock") else zipfile.ZipInfo(name), content)
    return file_name
