"""Prints what this interpreter is, as one line of JSON. Run with -I -S."""
import json
import os
import sys
import sysconfig


def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""


def mac_version():
    if sys.platform != "darwin":
        return ""
    import platform

    return platform.mac_ver()[0]


def importable(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def digest(variables):
    """Of all variables but those that depend on who asks and from where."""
    import hashlib

    personal = ("userbase", "srcdir", "projectbase")
    lines = ["{}={!r}\n".format(k, v) for k, v in sorted(variables.items()) if k not in personal]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def version(info):
    text = "{}.{}.{}".format(info.major, info.minor, info.micro)
    return text if info.releaselevel == "final" else text + info.releaselevel[0] + str(info.serial)


def main():
    variables = sysconfig.get_config_vars()
    text = lambda name: str(variables.get(name) or "")
    paths = sysconfig.get_paths()
    full = sys.version.split()[0]
    sys.stdout.write(
        json.dumps(
            {
                "executable": sys.executable,
                "base_executable": getattr(sys, "_base_executable", None) or sys.executable,
                "implementation": sys.implementation.name,
                "implementation_version": version(sys.implementation.version),
                "implementation_title": {"cpython": "CPython", "pypy": "PyPy"}.get(
                    sys.implementation.name, sys.implementation.name
                ),
                "full_version": full,
                "major": sys.version_info[0],
                "minor": sys.version_info[1],
                "os_name": os.name,
                "sys_platform": sys.platform,
                "platform": sysconfig.get_platform(),
                "bits": 64 if sys.maxsize > 2**32 else 32,
                "libc": libc(),
                "mac_version": mac_version(),
                "base_prefix": sys.base_prefix,
                "base_exec_prefix": sys.base_exec_prefix,
                "stdlib": paths["stdlib"],
                "platstdlib": paths["platstdlib"],
                "purelib": paths["purelib"],
                "platlib": paths["platlib"],
                "platlibdir": getattr(sys, "platlibdir", "lib"),
                "cc": text("CC"),
                "cflags": text("CFLAGS"),
                "ldshared": text("LDSHARED"),
                "ext_suffix": text("EXT_SUFFIX"),
                "soabi": text("SOABI"),
                "multiarch": text("MULTIARCH"),
                "include": text("INCLUDEPY"),
                "libdir": text("LIBDIR"),
                "library": text("INSTSONAME") if variables.get("Py_ENABLE_SHARED") else "",
                "wheel_pkg_dir": text("WHEEL_PKG_DIR"),
                "free_threaded": bool(variables.get("Py_GIL_DISABLED")),
                "debug": bool(variables.get("Py_DEBUG")),
                "ctypes": importable("_ctypes"),
                "debian": os.path.isfile(os.path.join(paths["stdlib"], "_distutils_system_mod.py"))
                or (sys.base_prefix == "/usr" and os.path.isdir("/usr/lib/python3/dist-packages")),
                "variables": digest(variables),
            }
        )
    )


main()
