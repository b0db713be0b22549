//! Wheels from the archive to the install.

use recipes::recipe::Relax;

mod archives;
mod finished;
mod installs;
mod large;
mod lints;
mod places;

use super::toy::{Toy, findings, parse, toy, unzip, zip as archive};
use super::*;
use crate::key::Digest;

fn demo() -> Toy {
    toy(
        "demo",
        "1.0",
        &[
            ("demo/__init__.py", "VALUE = 1\n"),
            ("demo/data.txt", &"line\n".repeat(1000)),
            ("tests/__init__.py", ""),
            ("tests/test_demo.py", "def test(): pass\n"),
            ("demo-1.0.dist-info/top_level.txt", "demo\ntests\n"),
            ("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo:main\n"),
        ],
    )
    .headers(
        "Requires-Dist: click (>=8,<9)\nRequires-Dist: Blinker~=1.9 ; python_full_version < '3.11.0a6'\n",
    )
}

fn spec(relax: &Relax) -> FinishSpec<'_> {
    FinishSpec { relax, remove_tests: true, namespaces: &[] }
}

/// A finished wheel whose bytes are held.
#[derive(Debug)]
struct Done {
    bytes: Vec<u8>,
    wheel: Wheel,
    notes: Vec<String>,
}

fn finish(file_name: &str, raw: &[u8], spec: &FinishSpec<'_>) -> Result<Done, Vec<Finding>> {
    let raw = Archive::Memory(raw.to_vec());
    let done = findings(super::finish(file_name, (&raw, &Spool::nowhere()), spec))?;
    Ok(Done { bytes: done.archive.memory().unwrap().to_vec(), wheel: done.wheel, notes: done.notes })
}

fn parse_finished(file_name: &str, bytes: &[u8]) -> Result<Wheel, Vec<Finding>> {
    let archive = Archive::Memory(bytes.to_vec());
    findings(Wheel::open_finished(file_name, &archive, &Spool::nowhere()))
}

fn requires(bytes: &[u8]) -> Result<Vec<String>, Vec<Finding>> {
    findings(Wheel::requires_of_finished(&Archive::Memory(bytes.to_vec())))
}

fn text(findings: &[Finding]) -> String {
    findings.iter().map(Finding::render).collect()
}

/// The smallest shared object with a DT_RUNPATH: header, one PT_LOAD over all, one PT_DYNAMIC.
fn elf_with_runpath(runpath: &str) -> Vec<u8> {
    let strings = [b"\0", runpath.as_bytes(), b"\0"].concat();
    let (headers, dynamic) = (64 + 2 * 56, 4 * 16);
    let total = (headers + dynamic + strings.len()) as u64;
    let mut out = Vec::new();
    out.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [3u16, 62] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&1u32.to_le_bytes());
    for long in [0u64, 64, 0] {
        out.extend_from_slice(&long.to_le_bytes());
    }
    out.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 2, 64, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    for (kind, start, len) in [(1u32, 0u64, total), (2, headers as u64, dynamic as u64)] {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&4u32.to_le_bytes());
        for long in [start, start, start, len, len, 8] {
            out.extend_from_slice(&long.to_le_bytes());
        }
    }
    for (tag, value) in [(5u64, (headers + dynamic) as u64), (10, strings.len() as u64), (29, 1), (0, 0)] {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&strings);
    out
}
