"""Builds one wheel through PEP 517, all hooks in this one process.

Argument: a JSON file that says what to do. It lies in a folder (`job`) of the
build folder; every path in it is relative to the build folder. The source is
the working folder. What the backend prints is the log; what came of it goes
to the answer file, which the caller reads as foreign bytes.

With a second argument, `serve`, it waits to be told of such files, and builds
each in a process that it forks (see fork_server.py). A backend can tell the
two ways apart by nothing it should look at: what is true while it is imported
is the same in both, so the variables of one build are set after that.
"""
import atexit
import gc
import importlib
import itertools
import json
import os
import re
import sys
import time

LEGACY = "setuptools.build_meta:__legacy__"
# Bytes of a member of a raw wheel that are worth being compressed.
MUCH = 1 << 20
SURROGATES = re.compile("[\ud800-\udfff]")
OWN = ["wheelwright_" + name for name in ("runner", "toml", "requirements", "fork_server", "sample")]


class Refusal(Exception):
    """A failure that is not the backend's own exception."""

    def __init__(self, kind, message, **details):
        Exception.__init__(self, message)
        self.answer = dict(details, kind=kind, message=message)


def fix_temporary_names():
    """Backends copy names of temporary folders into what they build."""
    import tempfile

    tempfile._name_sequence = map("ww{:06d}".format, itertools.count())


def begin_again():
    """What counts or draws begins at the same place for every build's hooks,
    whatever was imported before."""
    fix_temporary_names()
    sys.modules["random"].seed(0)


def compress_fast(folder):
    """The caller writes every wheel anew: what is compressed into the wheel is
    read once and need not be small, unless there is much of it. Only the size
    of that file changes."""
    import zipfile

    writer = getattr(zipfile, "_ZipWriteFile", None)
    begin = getattr(writer, "__init__", None)
    if begin is None:
        return

    def is_wheel(archive):
        known = getattr(archive, "_wheelwright", None)
        if known is None:
            known = archive._wheelwright = leads_to_wheel(archive.fp, folder)
        return known

    def start(self, archive, member, *more, **named):
        if member.compress_type == zipfile.ZIP_DEFLATED and is_wheel(archive):
            if getattr(member, "_compresslevel", 0) is None:
                member._compresslevel = 1 if member.file_size > MUCH else 0
        begin(self, archive, member, *more, **named)

    writer.__init__ = start


def leads_to_wheel(file, folder):
    """Whether an open file is the wheel that is being built: it lies in the
    folder for wheels or, as most backends have it, in a new folder there, or
    it is a temporary file that will be moved there."""
    import tempfile

    name = getattr(file, "name", None)
    try:
        if not isinstance(name, int):
            return os.path.abspath(name).startswith(folder + os.sep)
        # Of what was opened by its descriptor, that is the name.
        path = os.readlink("/proc/self/fd/{}".format(name))
    except (OSError, TypeError, ValueError):
        return False
    temporary = path.endswith(".whl") and os.path.dirname(path) == os.path.realpath(tempfile.gettempdir())
    return temporary or path.startswith(os.path.realpath(folder) + os.sep)


def remember_distributions(folders):
    """Setuptools asks for entry points at each of its commands, and each time the
    files of every distribution are read and taken apart: a quarter of a small
    build. What stands in folders that nobody writes to tells the same again."""
    plain = getattr(sys.modules.get("importlib.metadata"), "PathDistribution", None)
    inside = tuple(os.path.join(folder, "") for folder in folders if os.path.isabs(folder))
    for name in ("entry_points", "_normalized_name"):
        ask = getattr(getattr(plain, name, None), "fget", None)
        if ask is not None:
            setattr(plain, name, property(remembering(ask, inside)))


def remembering(ask, inside):
    known = {}

    def tell(self):
        path = str(getattr(self, "_path", ""))
        if path not in known:
            if not os.path.normpath(path).startswith(inside):
                return ask(self)
            known[path] = ask(self)
        told = known[path]
        # Before Python 3.10 it is a list, which belongs to whoever asks.
        return list(told) if isinstance(told, list) else told

    return tell


def read_toml(path):
    try:
        if sys.version_info >= (3, 11):
            import tomllib

            with open(path, "rb") as file:
                return tomllib.load(file)
        import wheelwright_toml

        with open(path, encoding="utf-8", newline="") as file:
            return wheelwright_toml.loads(file.read())
    except ValueError as error:
        raise Refusal("bad-pyproject", "pyproject.toml cannot be read: {}".format(error))


def build_system(source, spec):
    """The backend's name and the folders it is imported from."""
    table = {}
    pyproject = os.path.join(source, "pyproject.toml")
    if os.path.isfile(pyproject):
        table = read_toml(pyproject).get("build-system", {})
    elif not any(os.path.isfile(os.path.join(source, name)) for name in ("setup.py", "setup.cfg")):
        if not spec.get("backend"):
            raise Refusal("no-backend", "there is no pyproject.toml, setup.py or setup.cfg in the source")
    if not isinstance(table, dict):
        raise Refusal("bad-pyproject", "`build-system` of pyproject.toml is not a table")
    name = spec.get("backend") or table.get("build-backend") or LEGACY
    # An overriding backend comes from where the override says, not from the
    # folders that held the old one.
    paths = spec.get("backend_path")
    if paths is None:
        paths = [] if spec.get("backend") else table.get("backend-path", [])
    requires = table.get("requires", [])
    for value in (paths, requires):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Refusal("bad-pyproject", "`build-system` of pyproject.toml has a list that is not one of strings")
    if not isinstance(name, str):
        raise Refusal("bad-pyproject", "`build-backend` of pyproject.toml is not a string")
    return name, [inside(source, path) for path in paths], requires


def inside(source, path):
    full = os.path.realpath(os.path.join(source, path))
    root = os.path.realpath(source)
    if full != root and not full.startswith(root + os.sep):
        raise Refusal("bad-pyproject", "`backend-path` leaves the source: {}".format(path))
    return full


def load(name, paths):
    """Imports the backend object, from `paths` only when there are any."""
    module_name, _, attributes = name.partition(":")
    sys.path[:0] = paths
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise Refusal(
                "backend-missing", "the backend `{}` cannot be imported".format(name), missing_module=error.name
            )
        raise
    if paths:
        origin = os.path.realpath(getattr(module, "__file__", None) or "")
        if not any(origin.startswith(path + os.sep) for path in paths):
            raise Refusal("backend-missing", "the backend `{}` is not in its `backend-path`".format(name))
    backend = module
    for attribute in attributes.split(".") if attributes else []:
        try:
            backend = getattr(backend, attribute)
        except AttributeError:
            raise Refusal("hook-missing", "the backend `{}` has no `{}`".format(module_name, attribute))
    return backend


def load_at_once(name, paths):
    """[load], without searching for garbage in between: all that importing
    makes stays, and is left out of later searches, too."""
    gc.disable()
    try:
        return load(name, paths)
    finally:
        if hasattr(gc, "freeze"):
            gc.freeze()
        gc.enable()


def check_requirements(texts, site):
    """Refuses what the environment (`site`: its path entries) does not have."""
    if not texts:
        return []
    import wheelwright_requirements

    return wheelwright_requirements.missing(texts, site)


def settings(spec):
    """A value given once is a string, one given several times a list."""
    given = spec.get("config_settings") or {}
    return {key: values[0] if len(values) == 1 else values for key, values in given.items()} or None


def build(spec, root, answer, times):
    source = os.getcwd()
    site = list(sys.path)
    out = os.path.join(root, spec["wheel_dir"])
    answer["hook"] = "import"
    name, paths, requires = build_system(source, spec)
    answer["backend"] = name
    answer["declared"] = requires
    if paths:
        os.environ.update(spec["env"])
    looks = None
    if spec.get("report_modules"):
        import wheelwright_sample

        looks = wheelwright_sample.Looks(source)
        answer["patterns"] = wheelwright_sample.Patterns().told
    started = time.perf_counter()
    backend = load_at_once(name, paths)
    times["import"] = time.perf_counter() - started
    os.environ.update(spec["env"])
    if looks:
        # What the backend itself imports, a server has imported: without a
        # source, and before the variables of a build are set here, too.
        answer["cold"] = bool(looks.found)
        answer["absent"] = sorted(looks.absent)
        looks.watch_all(spec["env"])
        answer["late"] = looks.found
    begin_again()
    compress_fast(os.path.abspath(out))
    remember_distributions(path for path in site if not path.startswith(root))
    if not callable(getattr(backend, "build_wheel", None)):
        raise Refusal("hook-missing", "the backend `{}` has no `build_wheel`".format(name))
    config = settings(spec)
    ask = getattr(backend, "get_requires_for_build_wheel", None)
    if ask is not None:
        answer["hook"] = "get_requires_for_build_wheel"
        started = time.perf_counter()
        asked = ask(config)
        times["get_requires"] = time.perf_counter() - started
        answer["requires"] = asked = [str(text) for text in asked or []]
        missing = check_requirements(asked, site + paths)
        if missing:
            raise Refusal("missing-requirement", "the backend asks for what is not there", missing=missing)
    answer["hook"] = "build_wheel"
    started = time.perf_counter()
    wheel = backend.build_wheel(out, config, None)
    times["build"] = time.perf_counter() - started
    del answer["hook"]
    if not isinstance(wheel, str) or not wheel.endswith(".whl") or os.path.basename(wheel) != wheel:
        raise Refusal("wheel-missing", "`build_wheel` returned {!r}, not the name of a wheel".format(wheel))
    if not os.path.isfile(os.path.join(out, wheel)):
        raise Refusal("wheel-missing", "`build_wheel` named `{}`, which it did not write".format(wheel))
    answer["wheel"] = wheel


def own_modules(root):
    """Modules of the standard library or the environment, as they were imported."""
    found = []
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        where = getattr(spec, "origin", None) or ""
        if name != "__main__" and getattr(spec, "name", None) == name and not where.startswith(root + os.sep):
            if where in ("built-in", "frozen") or os.path.isabs(where):
                found.append(name)
    return found


def text_of(error):
    """An exception's text, which is code of whoever raised it."""
    try:
        return str(error)
    except BaseException:
        return "(it has no text that can be shown)"


def as_json(answer):
    """JSON for any reader: a lone surrogate is written as its escape's letters."""
    text = json.dumps(answer, ensure_ascii=False)
    return SURROGATES.sub(lambda found: "\\\\u{:04x}".format(ord(found.group())), text)


def describe(error):
    """The backend's exception, without the runner's own frames."""
    import traceback

    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    sys.stdout.flush()
    sys.stderr.write(text)
    found = {"kind": "backend-raised", "exception": type(error).__name__}
    found["message"] = text_of(error.code if isinstance(error, SystemExit) else error)[:4000]
    found["traceback"] = text[-60000:]
    seen = set()
    link = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if isinstance(link, ModuleNotFoundError) and link.name:
            found["missing_module"] = link.name
        link = link.__cause__ or link.__context__
    return found


def prepare(spec_path):
    """Makes the process what every backend finds."""
    job = os.path.dirname(spec_path)
    # Neither our folder nor our arguments are the backend's business. The
    # modules beside this file stay importable by being imported from a list.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != job]
    sys.meta_path.append(Beside(job))
    del sys.argv[1:]
    if hasattr(sys, "orig_argv"):
        del sys.orig_argv[3:]
    os.umask(0o022)
    make_folders(os.path.dirname(job), ("tmp", "home"))
    fix_temporary_names()
    sys.modules["random"].seed(0)


def make_folders(root, names):
    for name in names:
        os.makedirs(os.path.join(root, name), exist_ok=True)


def main(spec_path):
    root = os.path.dirname(os.path.dirname(spec_path))
    with open(spec_path, encoding="utf-8") as file:
        spec = json.load(file)
    make_folders(root, ("tmp", "home", spec["wheel_dir"]))
    answer, times = {}, {}
    try:
        build(spec, root, answer, times)
        answer["ok"] = True
    except Refusal as refusal:
        answer.update(refusal.answer, ok=False)
        sys.stdout.flush()
        sys.stderr.write("error: {}\n".format(refusal))
    except BaseException as error:  # also SystemExit: setup.py may end the process
        answer.update(describe(error), ok=False)
    if spec.get("report_modules"):
        answer["modules"] = own_modules(root)
        answer["late"] = sorted(set(answer["modules"]).intersection(answer.get("late", ())))
    answer["seconds"] = {name: round(value, 4) for name, value in times.items()}
    sys.stdout.flush()
    sys.stderr.flush()
    path = os.path.join(root, spec["answer"])
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(as_json(answer))
    os.replace(path + ".part", path)
    return 0 if answer["ok"] else 1


def leave(code):
    """Exits as the interpreter does: waits for threads, calls what is to be
    called at exit, writes out what was printed. But it does not take apart
    every module and object first, a fifth of the time of a small build."""
    wait = getattr(sys.modules.get("threading"), "_shutdown", None)
    call = getattr(atexit, "_run_exitfuncs", None)
    if call is None or ("threading" in sys.modules and wait is None):
        sys.exit(code)
    for step in (wait, call, sys.stdout and sys.stdout.flush, sys.stderr and sys.stderr.flush):
        try:
            if step:
                step()
        except BaseException as error:
            # As there: told, and no reason for another exit code.
            sys.excepthook(type(error), error, error.__traceback__)
    os._exit(code)


class Beside:
    """Finds the runner's own modules, and nothing else."""

    def __init__(self, folder):
        self.folder = folder

    def find_spec(self, name, path=None, target=None):
        if name not in OWN:
            return None
        import importlib.util

        return importlib.util.spec_from_file_location(name, os.path.join(self.folder, name + ".py"))


def serve():
    import wheelwright_fork_server

    if sys.version_info < (3, 11):
        # What the server has, lies in no cell of its children.
        import wheelwright_toml  # noqa: F401

    # A child in a cell never comes back from its build.
    wheelwright_fork_server.Server().serve(lambda spec_path: leave(main(spec_path)), rehearse)


def rehearse():
    """Some of what every build does, leaving nothing behind."""
    as_json(json.loads('{"a": ["b", 1, null]}'))
    toml = sys.modules.get("tomllib")
    if toml:
        toml.loads('[a]\nb = ["c"]\nd = "e"\n')
    begin_again()


def start():
    spec_path, *mode = sys.argv[1:]
    spec_path = os.path.abspath(spec_path)
    prepare(spec_path)
    if mode == ["serve"]:
        serve()
    else:
        leave(main(spec_path))
