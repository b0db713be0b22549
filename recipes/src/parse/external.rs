//! `[external]`: what a package needs that is no Python package (PEP 725).
//!
//! Knows the names PEP 725 gives compilers and interfaces. Must never know
//! what this host has.

use crate::codes;
use crate::diag::{Finding, did_you_mean};
use crate::node::{Node, Table};
use crate::recipe::External;

use super::items;

/// Languages of `virtual:compiler/` that are known; there are others.
const COMPILERS: [&str; 9] = ["c", "cpp", "cuda", "cxx", "fortran", "go", "objc", "rust", "zig"];

/// Interfaces whose names are known; there are others.
const INTERFACES: [&str; 5] = ["blas", "lapack", "mpi", "opencl", "openmp"];

pub(super) fn external(table: &Table, findings: &mut Vec<Finding>) -> External {
    let Some(external) = table.table("external") else { return External::default() };
    let mut list = |key: &str| {
        let nodes = items(external.get(key)).iter();
        nodes.filter_map(|n| Some((name(n, findings)?, n.place.clone()))).collect()
    };
    External {
        build_requires: list("build-requires"),
        host_requires: list("host-requires"),
        dependencies: list("dependencies"),
    }
}

/// `virtual:compiler/c`, `virtual:interface/blas`, `pkg:generic/openssl` (a
/// package URL). What PEP 725 says now, `dep:virtual/compiler/c` and
/// `dep:generic/openssl`, is the same in other words and read as such.
fn name(node: &Node, findings: &mut Vec<Finding>) -> Option<String> {
    let text = node.as_str()?;
    let read = match (text.strip_prefix("dep:virtual/"), text.strip_prefix("dep:")) {
        (Some(rest), _) => format!("virtual:{rest}"),
        (None, Some(rest)) => format!("pkg:{rest}"),
        (None, None) => text.to_owned(),
    };
    let name = read.split([' ', '@', ';', '>', '<', '=']).next().unwrap_or("");
    let good = match name.split_once(':') {
        Some(("virtual", rest)) => is_virtual(rest),
        Some(("pkg", rest)) => {
            rest.split_once('/').is_some_and(|(kind, what)| word(kind) && !what.is_empty())
        }
        _ => false,
    };
    if good {
        return Some(read);
    }
    let message = format!("`{text}` is not an external requirement (PEP 725)");
    let finding = Finding::error(codes::BAD_EXTERNAL, node.place.clone(), message);
    findings.push(finding.hint(meant(name)));
    None
}

fn word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '/')
}

/// What comes close to a known name is a slip; of any other the host says
/// whether it has it.
fn is_virtual(rest: &str) -> bool {
    match rest.split_once('/') {
        Some(("compiler", what)) => {
            word(what) && (COMPILERS.contains(&what) || language_like(what).is_none())
        }
        Some(("interface", what)) => {
            word(what) && (INTERFACES.contains(&what) || did_you_mean(what, INTERFACES).is_none())
        }
        _ => false,
    }
}

/// The language a word seems to stand for.
fn language_like(what: &str) -> Option<&'static str> {
    // `c99` and `c++17` are said to the compiler, not to us.
    match what.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "c" | "gcc" | "cc" | "clang" | "compiler" => Some("c"),
        "c++" | "cxx" | "g++" | "cpp" | "clang++" => Some("cpp"),
        "fortran" | "gfortran" | "f" => Some("fortran"),
        "rust" | "rustc" | "cargo" => Some("rust"),
        "golang" => Some("go"),
        _ => did_you_mean(what, COMPILERS),
    }
}

/// The line that was likely meant.
fn meant(name: &str) -> String {
    let bare = name.trim_start_matches("virtual:").to_ascii_lowercase();
    if let Some(near) = bare.strip_prefix("interface/").and_then(|what| did_you_mean(what, INTERFACES)) {
        return format!("did you mean `\"virtual:interface/{near}\"`?");
    }
    let what = bare.trim_start_matches("compiler/");
    // Without `compiler/` it may as well be a library.
    let sure = bare.starts_with("compiler/") || did_you_mean(what, COMPILERS).is_none();
    match language_like(what) {
        Some(language) if sure || COMPILERS.contains(&what) => {
            format!("write `\"virtual:compiler/{language}\"`")
        }
        _ if word(what) && !what.contains(':') => format!("write `\"pkg:generic/{what}\"`"),
        _ => "write `\"pkg:generic/NAME\"`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_virtual_is_known_or_not_close_to_what_is() {
        let good =
            ["compiler/c", "compiler/fortran", "compiler/unobtainium", "interface/blas", "interface/wayland"];
        assert!(good.iter().all(|rest| is_virtual(rest)));
        for (wrong, hint) in [
            ("virtual:compiler/c99", "write `\"virtual:compiler/c\"`"),
            ("virtual:compiler/c++17", "write `\"virtual:compiler/cpp\"`"),
            ("virtual:compiler/fortrn", "write `\"virtual:compiler/fortran\"`"),
            ("virtual:interface/lapak", "did you mean `\"virtual:interface/lapack\"`?"),
        ] {
            assert!(!is_virtual(&wrong["virtual:".len()..]), "{wrong}");
            assert_eq!(meant(wrong), hint);
        }
    }
}
