//! What a log says, as a table.

use super::*;

const UNDECLARED: Facts = Facts { compiler: false, python: 12, distro: Distro::Debian };
const DECLARED: Facts = Facts { compiler: true, python: 12, distro: Distro::Debian };

fn show(facts: Facts, logs: &[&str]) -> String {
    let mut out = String::new();
    for log in logs {
        out.push_str(&format!("> {log}\n"));
        for hint in hints(log, facts) {
            out.push_str(&format!("[{}] {}\n", hint.group, hint.text));
        }
    }
    out
}

#[test]
fn compilers() {
    let logs = [
        "/bin/sh: 1: gcc: not found",
        "bash: line 1: g++: command not found",
        "error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
        "unable to execute 'gcc': No such file or directory",
        "FileNotFoundError: [Errno 2] No such file or directory: 'gfortran'",
        "PermissionError: [Errno 13] Permission denied: 'x86_64-linux-gnu-gcc'",
        "  No CMAKE_CXX_COMPILER could be found.",
        "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
        "error: can't find Rust compiler",
    ];
    expect_test::expect![[r#"
        > /bin/sh: 1: gcc: not found
        [undeclared-compiler:c] the build looked for `gcc`, and no compiler is declared: add `build-requires = ["virtual:compiler/c"]` to `[external]`
        > bash: line 1: g++: command not found
        [undeclared-compiler:cpp] the build looked for `g++`, and no compiler is declared: add `build-requires = ["virtual:compiler/cpp"]` to `[external]`
        > error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory
        [undeclared-compiler:c] the build looked for `x86_64-linux-gnu-gcc`, and no compiler is declared: add `build-requires = ["virtual:compiler/c"]` to `[external]`
        > unable to execute 'gcc': No such file or directory
        [undeclared-compiler:c] the build looked for `gcc`, and no compiler is declared: add `build-requires = ["virtual:compiler/c"]` to `[external]`
        > FileNotFoundError: [Errno 2] No such file or directory: 'gfortran'
        [undeclared-compiler:fortran] the build looked for `gfortran`, and no compiler is declared: add `build-requires = ["virtual:compiler/fortran"]` to `[external]`
        > PermissionError: [Errno 13] Permission denied: 'x86_64-linux-gnu-gcc'
        [undeclared-compiler:c] the build looked for `x86_64-linux-gnu-gcc`, and no compiler is declared: add `build-requires = ["virtual:compiler/c"]` to `[external]`
        >   No CMAKE_CXX_COMPILER could be found.
        [undeclared-compiler:cpp] the build looked for `c++`, and no compiler is declared: add `build-requires = ["virtual:compiler/cpp"]` to `[external]`
        > ../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]
        [undeclared-compiler:c] the build looked for `cc`, and no compiler is declared: add `build-requires = ["virtual:compiler/c"]` to `[external]`
        > error: can't find Rust compiler
        [undeclared-compiler:rust] the build looked for `rustc`, and no compiler is declared: add `build-requires = ["virtual:compiler/rust"]` to `[external]`
    "#]].assert_eq(&show(UNDECLARED, &logs));
    expect_test::expect![[r#"
        > /bin/sh: 1: gcc: not found
        [missing-compiler:c] this host has no `gcc`: install `gcc`
        > bash: line 1: g++: command not found
        [missing-compiler:cpp] this host has no `g++`: install `g++`
    "#]]
    .assert_eq(&show(DECLARED, &logs[..2]));
}

#[test]
fn headers_and_libraries() {
    let logs = [
        "c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory",
        "a.c:1:10: fatal error: 'openssl/ssl.h' file not found",
        "a.c:1:10: fatal error: Python.h: No such file or directory",
        "a.c:1:10: fatal error: numpy/arrayobject.h: No such file or directory",
        "a.c:1:10: fatal error: weird.h: No such file or directory",
        "a.c:1:10: fatal error: local.h: No such file or directory\n    1 | #include \"local.h\"",
        "a.c:1:10: fatal error: ffi.h: No such file or directory\n    1 | #include \"ffi.h\"",
        "cc1: fatal error: src/fast.c: No such file or directory",
        "/usr/bin/ld: cannot find -lz: No such file or directory",
        "Package 'libxml-2.0', required by 'virtual:world', not found",
        "No package 'hdf5' found",
        "meson.build:4:0: ERROR: Dependency \"openblas\" not found, tried pkgconfig and cmake",
        "Did not find pkg-config by name 'pkg-config'",
    ];
    expect_test::expect![[r#"
        > c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory
        [missing-header:ffi.h] this host has no header `ffi.h`: install `libffi-dev`, and declare `host-requires = ["pkg:generic/libffi"]` in `[external]`
        > a.c:1:10: fatal error: 'openssl/ssl.h' file not found
        [missing-header:openssl/ssl.h] this host has no header `openssl/ssl.h`: install `libssl-dev`, and declare `host-requires = ["pkg:generic/openssl"]` in `[external]`
        > a.c:1:10: fatal error: Python.h: No such file or directory
        [missing-header:Python.h] this host has no headers of Python 3.12: install `python3.12-dev`
        > a.c:1:10: fatal error: numpy/arrayobject.h: No such file or directory
        [missing-header:numpy/arrayobject.h] `numpy/arrayobject.h` comes with numpy: add it to `build-system`
        > a.c:1:10: fatal error: weird.h: No such file or directory
        [missing-header:weird.h] this host has no header `weird.h`: install the package that has it
        > a.c:1:10: fatal error: local.h: No such file or directory
            1 | #include "local.h"
        [missing-source:local.h] `local.h` is not in the source the build sees: if it lies in the project's folder, git ignores it (`include` in `[source]` takes it in)
        > a.c:1:10: fatal error: ffi.h: No such file or directory
            1 | #include "ffi.h"
        [missing-source:ffi.h] `ffi.h` is not in the source the build sees: if it lies in the project's folder, git ignores it (`include` in `[source]` takes it in)
        [missing-header:ffi.h] this host has no header `ffi.h`: install `libffi-dev`, and declare `host-requires = ["pkg:generic/libffi"]` in `[external]`
        > cc1: fatal error: src/fast.c: No such file or directory
        [generated-source] `src/fast.c` is not in the source; if Cython makes it: add "cython" to `build-system`
        > /usr/bin/ld: cannot find -lz: No such file or directory
        [missing-library:z] this host has no library `z`: install `zlib1g-dev`, and declare `host-requires = ["pkg:generic/zlib"]` in `[external]`
        > Package 'libxml-2.0', required by 'virtual:world', not found
        [missing-library:libxml-2.0] this host has no library `libxml-2.0`: install `libxml2-dev`, and declare `host-requires = ["pkg:generic/libxml2"]` in `[external]`
        > No package 'hdf5' found
        [missing-library:hdf5] this host has no library `hdf5`: install `libhdf5-dev`, and declare `host-requires = ["pkg:generic/hdf5"]` in `[external]`
        > meson.build:4:0: ERROR: Dependency "openblas" not found, tried pkgconfig and cmake
        [missing-library:openblas] this host has no library `openblas`: install `libopenblas-dev`, and declare `host-requires = ["pkg:generic/openblas"]` in `[external]`
        > Did not find pkg-config by name 'pkg-config'
        [missing-program:pkg-config] the build runs `pkg-config`: install `pkg-config`
    "#]].assert_eq(&show(DECLARED, &logs));
    let fedora = Facts { distro: Distro::Fedora, ..DECLARED };
    expect_test::expect![[r#"
        > c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory
        [missing-header:ffi.h] this host has no header `ffi.h`: install `libffi-devel`, and declare `host-requires = ["pkg:generic/libffi"]` in `[external]`
    "#]].assert_eq(&show(fedora, &logs[..1]));
    expect_test::expect![[r#"
        > c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory
        [missing-header:ffi.h] this host has no header `ffi.h`: install `libffi-dev` (Debian), `libffi-devel` (Fedora), and declare `host-requires = ["pkg:generic/libffi"]` in `[external]`
    "#]].assert_eq(&show(Facts { distro: Distro::Other, ..DECLARED }, &logs[..1]));
}

#[test]
fn network() {
    let logs = [
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "Downloading https://files.example.org/a.tgz\n  File \"x.py\"\nurllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "HTTPSConnectionPool(host='api.example.org', port=443): Max retries exceeded (Caused by NewConnectionError('Failed to establish a new connection: [Errno 101] Network is unreachable'))",
        "fatal: unable to access 'https://git.example.org/a/b/': Could not resolve host: git.example.org",
        "ConnectionRefusedError: [Errno 111] Connection refused",
        "ERROR: No matching distribution found for cffi>=1.0",
    ];
    expect_test::expect![[r#"
        > urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>
        [network] the build tried to use the network: builds have no network; fetch it as a source, patch the step out, or set what turns it off
        > Downloading https://files.example.org/a.tgz
          File "x.py"
        urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>
        [network:files.example.org] the build tried to reach `files.example.org`: builds have no network; fetch it as a source, patch the step out, or set what turns it off
        > HTTPSConnectionPool(host='api.example.org', port=443): Max retries exceeded (Caused by NewConnectionError('Failed to establish a new connection: [Errno 101] Network is unreachable'))
        [network:api.example.org] the build tried to reach `api.example.org`: builds have no network; fetch it as a source, patch the step out, or set what turns it off
        > fatal: unable to access 'https://git.example.org/a/b/': Could not resolve host: git.example.org
        [network:git.example.org] the build tried to reach `git.example.org`: builds have no network; fetch it as a source, patch the step out, or set what turns it off
        > ConnectionRefusedError: [Errno 111] Connection refused
        [network] the build tried to use the network: builds have no network; fetch it as a source, patch the step out, or set what turns it off
        > ERROR: No matching distribution found for cffi>=1.0
        [missing-requirement:cffi] the build runs pip for `cffi`: add "cffi" to `build-system`
    "#]].assert_eq(&show(UNDECLARED, &logs));
}

#[test]
fn python() {
    let logs = [
        "ModuleNotFoundError: No module named 'a'\nModuleNotFoundError: No module named 'setuptools_scm'",
        "ModuleNotFoundError: No module named 'distutils'",
        "ModuleNotFoundError: No module named 'pkg_resources'",
        "ModuleNotFoundError: No module named 'imp'",
        "error in demo setup command: use_2to3 is invalid.",
        "error: invalid command 'bdist_wheel'",
        "AttributeError: module 'pkgutil' has no attribute 'ImpImporter'. Did you mean: 'zipimporter'?",
        "LookupError: setuptools-scm was unable to detect version for /build/src.",
        "__main__.py: error: unrecognized arguments: --cov=demo --strange -n",
        "E       fixture 'mocker' not found",
    ];
    expect_test::expect![[r#"
        > ModuleNotFoundError: No module named 'a'
        ModuleNotFoundError: No module named 'setuptools_scm'
        [missing-module:setuptools_scm] add "setuptools-scm" to `build-system` (to `dependencies` if it is needed at run time)
        > ModuleNotFoundError: No module named 'distutils'
        [missing-module:distutils] distutils is gone since Python 3.12: add "setuptools" to `build-system`, which brings it
        > ModuleNotFoundError: No module named 'pkg_resources'
        [missing-module:pkg_resources] newer setuptools have no pkg_resources: ask for "setuptools<81" in `build-system`
        > ModuleNotFoundError: No module named 'imp'
        [missing-module:imp] `imp` is gone since Python 3.12: a newer release, a patch, or an older Python is needed
        > error in demo setup command: use_2to3 is invalid.
        [use-2to3] the source is for Python 2: ask for a newer release, or "setuptools<58" in `build-system`
        > error: invalid command 'bdist_wheel'
        [bdist-wheel] older setuptools need wheel: add "wheel" to `build-system`
        > AttributeError: module 'pkgutil' has no attribute 'ImpImporter'. Did you mean: 'zipimporter'?
        [old-setuptools] this setuptools is too old for Python 3.12: ask for a newer one in `build-system`
        > LookupError: setuptools-scm was unable to detect version for /build/src.
        [vcs-version] the source has no version control data: set the version with `build.env`, for setuptools-scm `SETUPTOOLS_SCM_PRETEND_VERSION`
        > __main__.py: error: unrecognized arguments: --cov=demo --strange -n
        [pytest-plugin:pytest-cov] add "pytest-cov" to `check.inputs`
        [pytest-plugin:pytest-xdist] add "pytest-xdist" to `check.inputs`
        [pytest-options] pytest does not know --strange: add the plugin to `check.inputs`, or `check.flags = ["-o", "addopts="]`
        > E       fixture 'mocker' not found
        [pytest-plugin:pytest-mock] add "pytest-mock" to `check.inputs`
    "#]].assert_eq(&show(UNDECLARED, &logs));
}

#[test]
fn resources_and_programs() {
    let logs = [
        "x86_64-linux-gnu-g++: fatal error: Killed signal terminated program cc1plus",
        "OSError: [Errno 28] No space left on device",
        "PermissionError: [Errno 13] Permission denied: '/usr/lib/demo'",
        "/bin/sh: 1: cmake: not found",
        "FileNotFoundError: [Errno 2] No such file or directory: 'git'",
        "sh: 1: pkg-config: not found",
        "FileNotFoundError: [Errno 2] No such file or directory: 'README.md'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/build/src/VERSION'",
    ];
    expect_test::expect![[r#"
        > x86_64-linux-gnu-g++: fatal error: Killed signal terminated program cc1plus
        [out-of-memory] the build ran out of memory: raise `build.memory`, or lower `build.cores`
        > OSError: [Errno 28] No space left on device
        [disk-full] the disk is full: make room, or move the store
        > PermissionError: [Errno 13] Permission denied: '/usr/lib/demo'
        [writes-outside] the build writes to `/usr/lib/demo`: only its own folder and $TMPDIR are writable
        > /bin/sh: 1: cmake: not found
        [missing-program:cmake] the build runs `cmake`: add "cmake" to `build-system`
        > FileNotFoundError: [Errno 2] No such file or directory: 'git'
        [missing-program:git] the build asks version control for the version: set it with `build.env`, for setuptools-scm `SETUPTOOLS_SCM_PRETEND_VERSION`
        > sh: 1: pkg-config: not found
        [missing-program:pkg-config] the build runs `pkg-config`: install `pkg-config`, and declare a compiler in `[external]`: tools come with it
        > FileNotFoundError: [Errno 2] No such file or directory: 'README.md'
        > FileNotFoundError: [Errno 2] No such file or directory: '/build/src/VERSION'
    "#]].assert_eq(&show(UNDECLARED, &logs));
}

#[test]
fn a_log_that_says_nothing_gives_nothing() {
    assert_eq!(hints("", UNDECLARED), []);
    assert_eq!(hints("running build_ext\nbuilding 'demo' extension\nerror: tests failed\n", UNDECLARED), []);
    let long = format!("{}é\nerror: invalid command 'bdist_wheel'\n", "x".repeat(WINDOW));
    assert_eq!(hints(&long, UNDECLARED).len(), 1);
}

#[test]
fn distributions_are_told_apart() {
    assert_eq!(Distro::of("NAME=x\nID=ubuntu\nID_LIKE=debian\n"), Distro::Debian);
    assert_eq!(Distro::of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), Distro::Fedora);
    assert_eq!(Distro::of("ID=arch\n"), Distro::Other);
}
