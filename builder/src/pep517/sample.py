"""Finds out which modules look, while they are imported, at what differs from
build to build: variables of one build, its source, what has been drawn.

Imported once in a while, in a process that builds a sample and nothing else:
what it puts in place of the standard library's own stays there.
"""
import os
import random
import sys


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
