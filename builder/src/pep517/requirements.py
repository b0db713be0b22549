"""Whether installed distributions satisfy requirements (PEP 440, 503, 508).

Self-contained: a build environment need not have `packaging`, and importing
one that the build brings would be part of what is built.
"""
import os
import re
import sys

VERSION = re.compile(
    r"\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)"
    r"(?:[-_.]?(alpha|beta|preview|pre|rc|a|b|c)[-_.]?(\d*))?"
    r"(-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?"
    r"([-_.]?dev[-_.]?\d*)?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*",
    re.IGNORECASE,
)
PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*"
    r"(?:\[([^\]]*)\])?\s*"
    r"(?:@\s*(\S+)|\(([^)]*)\)|([^;@(]*))\s*"
    r"(?:;(.*))?",
    re.DOTALL,
)
SEPARATORS = re.compile(r"[-_.]+")
CLAUSE = re.compile(r"\s*(===|~=|==|!=|<=|>=|<|>)\s*(\S+)\s*")
TOKEN = re.compile(r"\s*(\(|\)|===|~=|==|!=|<=|>=|<|>|'[^']*'|\"[^\"]*\"|[A-Za-z_.]+)")
OLD_NAMES = {
    "os.name": "os_name",
    "sys.platform": "sys_platform",
    "platform.version": "platform_version",
    "platform.machine": "platform_machine",
    "platform.python_implementation": "platform_python_implementation",
    "python_implementation": "platform_python_implementation",
}
VERSION_NAMES = ("python_version", "python_full_version", "implementation_version")


class Unreadable(ValueError):
    """The text is no requirement."""


class Version:
    """A PEP 440 version; `key` orders it."""

    def __init__(self, text):
        match = VERSION.fullmatch(text)
        if match is None:
            raise Unreadable("`{}` is not a version".format(text))
        epoch, release, pre, pre_number, post, dev, local = match.groups()
        self.epoch = int(epoch or 0)
        self.release = tuple(int(part) for part in release.split("."))
        self.pre = pre and (PRE.get(pre.lower(), pre.lower()), int(pre_number or 0))
        self.post = post and number(post)
        self.dev = dev and number(dev)
        parts = re.split(r"[-_.]", local.lower()) if local else []
        self.local = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
        self.base = (self.epoch, strip_zeros(self.release))
        # A missing part sorts before or after every present one, as PEP 440 orders them.
        if self.pre:
            pre_key = (0,) + self.pre
        else:
            pre_key = (-1,) if self.post is None and self.dev is not None else (1,)
        post_key = -1 if self.post is None else self.post
        dev_key = (1, 0) if self.dev is None else (0, self.dev)
        self.public = self.base + (pre_key, post_key, dev_key)
        self.key = self.public + (self.local,)


def number(text):
    """The digits at the end of `.post3` or `-3`; none means 0."""
    return int(re.search(r"\d*$", text).group() or 0)


def strip_zeros(release):
    end = len(release)
    while end > 1 and release[end - 1] == 0:
        end -= 1
    return release[:end]


def satisfies(version, operator, wanted):
    """One clause of a specifier set; `version` is a Version."""
    if operator == "===":
        return version.text.strip().lower() == wanted.strip().lower()
    prefix = wanted.endswith(".*")
    other = Version(wanted[:-2] if prefix else wanted)
    if operator in ("==", "!="):
        if prefix:
            same = starts_with(version, other.epoch, other.release)
        else:
            same = version.key == other.key if other.local else version.public == other.public
        return same == (operator == "==")
    if operator == "~=":
        if len(other.release) < 2:
            raise Unreadable("`~={}` needs two numbers".format(wanted))
        return version.public >= other.public and starts_with(version, other.epoch, other.release[:-1])
    if operator == ">=":
        return version.public >= other.public
    if operator == "<=":
        return version.public <= other.public
    if operator == "<":
        if version.key >= other.key:
            return False
        before = other.pre or other.dev is not None
        return bool(before) or not ((version.pre or version.dev is not None) and version.base == other.base)
    if version.key <= other.key:
        return False
    if version.base == other.base:
        if other.post is None and version.post is not None:
            return False
        if version.local:
            return False
    return True


def starts_with(version, epoch, release):
    padded = version.release + (0,) * (len(release) - len(version.release))
    return version.epoch == epoch and padded[: len(release)] == release


def contains(specifiers, text):
    """Whether the version `text` lies in a comma-separated specifier set."""
    version = Version(text)
    version.text = text
    for clause in specifiers.split(","):
        if not clause.strip():
            continue
        match = CLAUSE.fullmatch(clause)
        if match is None:
            raise Unreadable("`{}` is not a version specifier".format(clause.strip()))
        if not satisfies(version, match.group(1), match.group(2)):
            return False
    return True


def environment():
    """The PEP 508 variables of this interpreter."""
    import platform

    info = sys.implementation.version
    version = "{}.{}.{}".format(info.major, info.minor, info.micro)
    if info.releaselevel != "final":
        version += info.releaselevel[0] + str(info.serial)
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": version,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": "{}.{}".format(*sys.version_info[:2]),
        "sys_platform": sys.platform,
    }


def normalise(name):
    return SEPARATORS.sub("-", name).lower()


class Marker:
    """A recursive-descent reader that evaluates as it reads."""

    def __init__(self, text, variables):
        self.variables = variables
        self.tokens = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                raise Unreadable("`{}` is not a marker".format(text.strip()))
            self.tokens.append(match.group(1))
            at = match.end()
        self.tokens.reverse()

    def peek(self):
        return self.tokens[-1] if self.tokens else None

    def take(self):
        if not self.tokens:
            raise Unreadable("a marker ends too early")
        return self.tokens.pop()

    def whole(self):
        value = self.either()
        if self.tokens:
            raise Unreadable("a marker goes on after its end")
        return value

    def either(self):
        value = self.both()
        while self.peek() == "or":
            self.take()
            value = self.both() or value
        return value

    def both(self):
        value = self.one()
        while self.peek() == "and":
            self.take()
            value = self.one() and value
        return value

    def one(self):
        if self.peek() == "(":
            self.take()
            value = self.either()
            if self.take() != ")":
                raise Unreadable("a marker lacks a `)`")
            return value
        left_name, left = self.value()
        operator = self.take()
        if operator == "not":
            if self.take() != "in":
                raise Unreadable("a marker has `not` without `in`")
            operator = "not in"
        right_name, right = self.value()
        return compare(left_name or right_name, left, operator, right)

    def value(self):
        token = self.take()
        if token[0] in "'\"":
            return None, token[1:-1]
        name = OLD_NAMES.get(token, token)
        if name not in self.variables:
            raise Unreadable("`{}` is not a marker variable".format(token))
        return name, self.variables[name]


def compare(name, left, operator, right):
    if operator in ("in", "not in"):
        return (left in right) == (operator == "in")
    if name == "extra":
        left, right = normalise(left), normalise(right)
    if name in VERSION_NAMES:
        try:
            return contains(operator + right, left)
        except Unreadable:
            pass
    if operator in ("==", "==="):
        return left == right
    if operator == "!=":
        return left != right
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    if operator == ">=":
        return left >= right
    return False


def installed(site):
    """Normalised name -> (version, metadata file) of everything on `site`."""
    found = {}
    for folder in site:
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for name in names:
            stem, kind = os.path.splitext(name)
            if kind not in (".dist-info", ".egg-info") or "-" not in stem:
                continue
            project, version = stem.split("-")[:2]
            file = "METADATA" if kind == ".dist-info" else "PKG-INFO"
            found.setdefault(normalise(project), (version.replace("_", "-"), os.path.join(folder, name, file)))
    return found


def extra_requirements(metadata, extra):
    """Requires-Dist lines that only `extra` brings."""
    try:
        with open(metadata, encoding="utf-8", errors="replace") as file:
            head = file.read().split("\n\n", 1)[0]
    except OSError:
        return
    for line in head.splitlines():
        if line.lower().startswith("requires-dist:") and "extra" in line:
            yield line.split(":", 1)[1].strip(), extra


def missing(texts, site):
    """What of `texts` (markers read with extra = "") is not satisfied: a list
    of {"requirement", "name", "found"}; `found` is the wrong version or None."""
    have = installed(site)
    variables = None
    out, seen = [], set()
    todo = [(text, "") for text in reversed(texts)]
    while todo:
        text, extra = todo.pop()
        if (text, extra) in seen:
            continue
        seen.add((text, extra))
        match = REQUIREMENT.fullmatch(text)
        if match is None:
            out.append({"requirement": text, "name": "", "found": None})
            continue
        name, extras, _, parenthesised, plain, marker = match.groups()
        try:
            if marker:
                # Most ask for nothing that depends on where they are.
                variables = variables or environment()
                if not Marker(marker, dict(variables, extra=extra)).whole():
                    continue
            version, metadata = have.get(normalise(name), (None, None))
            if version is None or not contains(parenthesised or plain or "", version):
                bare = text.split(";", 1)[0].strip()
                out.append({"requirement": bare, "name": normalise(name), "found": version})
                continue
        except Unreadable:
            out.append({"requirement": text, "name": normalise(name), "found": None})
            continue
        for wanted in (extras or "").split(","):
            if wanted.strip():
                todo.extend(extra_requirements(metadata, wanted.strip()))
    return out
