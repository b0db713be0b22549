"""Finds out which modules look, while they are imported, at what differs from
build to build: variables of one build, its source, what has been drawn.

Imported once in a while, in a process that builds a sample and nothing else:
what it puts in place of the standard library's own stays there.
"""
import json
import os
import random
import sys
import types
import warnings

# Letters of what a sample tells of patterns.
MOST = 400000
# Flags of patterns.
LOCALE, DEBUG = 4, 128


class Noting:
    """A call that is noted when its arguments count. Like a built-in one, it
    is no method of a class that holds it."""

    def __init__(self, looks, call, counts):
        self.looks, self.call, self.counts = looks, call, counts

    def __call__(self, *args, **named):
        if self.counts(*args):
            self.looks.note()
        return self.call(*args, **named)


class Looks:
    """`found`: the modules that looked, and those whose import led there. At
    first only what looks at the source counts; `absent` are the names in it that
    were looked for then, and are not there: where they are not, a look tells
    what it tells a server."""

    def __init__(self, source):
        self.found, self.absent = set(), set()
        self.lstat = os.lstat
        self.source = os.path.abspath(source)
        for name in ("stat", "lstat", "access", "readlink"):
            setattr(os, name, Noting(self, getattr(os, name), self.is_of_source))
        sys.addaudithook(self.hear)

    def watch_all(self, variables):
        """From now on the variables of one build and what is drawn count, too."""
        self.found, self.absent = set(), None
        self.watch_variables(os.environ, variables)
        self.watch_variables(os.environb, map(os.fsencode, variables))
        for name, value in list(vars(random).items()):
            if getattr(value, "__self__", None) is random._inst:
                setattr(random, name, Noting(self, value, lambda *_: True))

    def watch_variables(self, environ, variables):
        looks, names, plain = self, frozenset(variables), type(environ)

        class Watched(plain):
            def __getitem__(self, name):
                if name in names:
                    looks.note()
                return plain.__getitem__(self, name)

            def __iter__(self):
                looks.note()
                return plain.__iter__(self)

        environ.__class__ = Watched

    def hear(self, event, args):
        if event in ("open", "os.listdir", "os.scandir") and self.is_of_source(*args):
            self.note()

    def is_of_source(self, path=".", *_):
        if isinstance(path, int):
            return False
        try:
            path = os.path.join(os.getcwd(), os.fsdecode("." if path is None else path))
        except (OSError, TypeError, ValueError):
            return False
        path = os.path.normpath(path)
        if path != self.source and not path.startswith(self.source + os.sep):
            return False
        return not self.is_absent(path)

    def is_absent(self, path):
        if self.absent is None:
            return False
        try:
            self.lstat(path)
            return False
        except OSError:
            self.absent.add(os.path.relpath(path, self.source))
            return True

    def note(self):
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == "<module>":
                self.found.add(frame.f_globals.get("__name__"))
            frame = frame.f_back


class Patterns:
    """What `re` compiles: to do that again is a quarter of what a server takes to
    import a backend. A pattern, its flags and the interpreter decide what comes
    of it; left out is what depends on the locale, or warns. `told` is for a
    server, which asks whether it is the interpreter that compiled them."""

    def __init__(self):
        self.told, self.known, self.left, self.seen = {"by": sys.version, "patterns": []}, set(), MOST, []
        # It has another name since Python 3.11.
        compiler = sys.modules.get("re._compiler") or sys.modules.get("sre_compile")
        self.plain, engine = getattr(compiler, "compile", None), getattr(compiler, "_sre", None)
        if self.plain and hasattr(engine, "compile"):
            self.engine = engine
            compiler.compile = self.compile
            compiler._sre = types.SimpleNamespace(**dict(vars(engine), compile=self.note))

    def note(self, *arguments):
        self.seen.append(arguments)
        return self.engine.compile(*arguments)

    def compile(self, pattern, flags=0):
        self.seen, warn, warned = [], warnings.warn, []
        warnings.warn = lambda *given, **named: (warned.append(given), warn(*given, **named))
        try:
            made = self.plain(pattern, flags)
        finally:
            warnings.warn = warn
        if type(pattern) in (str, bytes) and len(self.seen) == 1 and not warned:
            self.keep(pattern, int(flags), self.seen[0])
        return made

    def keep(self, pattern, flags, made):
        _, whole, code, groups, _, names = made
        binary = isinstance(pattern, bytes)
        text = pattern.decode("latin-1") if binary else pattern
        entry = [binary, text, flags, whole, groups, list(names), list(code)]
        size = len(json.dumps(entry))
        # JSON cannot say half a surrogate.
        odd = whole & (LOCALE | DEBUG) or any("\ud7ff" < letter < "\ue000" for letter in text)
        if odd or (pattern, flags) in self.known or size > self.left:
            return
        self.known.add((pattern, flags))
        self.left -= size
        self.told["patterns"].append(entry)
