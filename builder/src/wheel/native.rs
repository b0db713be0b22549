//! Compiled files: what machine they are for, where they look for libraries.
//!
//! Knows ELF, Mach-O and PE through goblin. Must never know wheels.

use std::borrow::Cow;

use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_RPATH, DT_RUNPATH, DT_STRTAB, Dynamic};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, header as elf};
use goblin::mach::{Mach, MachO, SingleArch, cputype};
use goblin::pe::header as pe;

use super::content::Content;
use crate::error::{Error, Result};

/// Bytes of one RUNPATH that are looked at: paths of a file system.
const LONGEST_SEARCH: usize = 1 << 16;
/// Bytes of an ELF file's dynamic section that are looked at.
const LONGEST_DYNAMIC: u64 = 1 << 20;
/// Entries that say one: the format allows one of each kind.
const MOST_SEARCHES: usize = 16;
/// Machines a universal binary may be for.
const MOST_PARTS: usize = 32;

/// The machines wheel tags name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `x86_64`, `amd64`.
    X86_64,
    /// `i686`, `win32`.
    X86,
    /// `aarch64`, `arm64`.
    Arm64,
    /// `armv7l`, `armv6l`.
    Arm,
    /// `ppc64le`, `ppc64`.
    Ppc64,
    /// `s390x`.
    S390x,
    /// `riscv64`.
    Riscv,
    /// `loongarch64`.
    LoongArch,
}

/// The container format, which decides the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Linux.
    Elf,
    /// macOS.
    MachO,
    /// Windows.
    Pe,
}

/// A compiled file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// Its format.
    pub format: Format,
    /// What it is for; several for a universal binary, none when unknown.
    pub machines: Vec<Machine>,
    /// RPATH, RUNPATH and `@rpath` entries, and `@loader_path` libraries.
    pub search: Vec<String>,
}

/// Bytes of the head of a file, in which the headers of all formats lie but
/// for what an ELF file's point at.
const HEAD: usize = 1 << 16;

/// A compiled file, or in a sentence why it cannot be understood.
pub type Sentence = std::result::Result<Native, String>;

/// Looks at a file; `None` when it is not compiled code. A file that begins
/// like one but cannot be read gives an error sentence.
pub fn inspect_content(content: &Content) -> Result<Option<Sentence>> {
    if let Some(bytes) = content.memory() {
        return Ok(inspect(bytes));
    }
    let head = content.at(0, HEAD)?;
    if head.starts_with(b"\x7fELF") {
        return elf(&|at, len| content.at(at, len)).map(Some);
    }
    if MACH.iter().any(|magic| head.starts_with(magic)) {
        // Its reader wants the tables too, and they stand at the end.
        return Ok(inspect(&content.all()?));
    }
    Ok(inspect(&head))
}

const MACH: [[u8; 4]; 4] =
    [[0xcf, 0xfa, 0xed, 0xfe], [0xce, 0xfa, 0xed, 0xfe], [0xca, 0xfe, 0xba, 0xbe], [0xfe, 0xed, 0xfa, 0xcf]];

/// The same of bytes that are held.
pub fn inspect(bytes: &[u8]) -> Option<Sentence> {
    let head: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let pe = head.starts_with(b"MZ") && bytes.len() > 0x40;
    if head != *b"\x7fELF" && !pe && !MACH.contains(&head) {
        return None;
    }
    let found = match &head {
        b"\x7fELF" => {
            let at = |at: u64, len: usize| {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                Ok(Cow::Borrowed(&rest[..len.min(rest.len())]))
            };
            return elf(&at).ok();
        }
        [b'M', b'Z', ..] => pe_file(bytes),
        _ => mach_file(bytes),
    };
    // `MZ` and the Mach-O magics also begin files of other kinds.
    found.map(Ok)
}

/// Bytes of a file from a place on, fewer only at its end.
type At<'a> = &'a dyn Fn(u64, usize) -> Result<Cow<'a, [u8]>>;

/// A file that cannot be understood, or not be read.
enum Unread {
    Malformed(String),
    Machine(Error),
}

impl From<goblin::error::Error> for Unread {
    fn from(e: goblin::error::Error) -> Self {
        Unread::Malformed(e.to_string())
    }
}

impl From<Error> for Unread {
    fn from(e: Error) -> Self {
        Unread::Machine(e)
    }
}

fn elf(at: At<'_>) -> Result<Sentence> {
    match elf_file(at) {
        Ok(native) => Ok(Ok(native)),
        Err(Unread::Malformed(e)) => Ok(Err(e)),
        Err(Unread::Machine(e)) => Err(e),
    }
}

/// Only the headers and the dynamic section: symbols, relocations and string
/// tables are a stranger's numbers, and reading them all may take for ever.
fn elf_file(at: At<'_>) -> std::result::Result<Native, Unread> {
    let header = Elf::parse_header(&at(0, 64)?)?;
    let ctx = Ctx::new(header.container()?, header.endianness()?);
    let segments = match usize::from(header.e_phnum) {
        0 => Vec::new(),
        count => {
            let table = at(header.e_phoff, count * ProgramHeader::size(ctx))?;
            ProgramHeader::parse(&table, 0, count, ctx)?
        }
    };
    let entries = match segments.iter().find(|s| s.p_type == PT_DYNAMIC) {
        None => Vec::new(),
        Some(segment) => {
            // Its last entry says that it is the last.
            let size = segment.p_filesz.min(LONGEST_DYNAMIC);
            let table = at(segment.p_offset, size as usize)?;
            let here = ProgramHeader { p_offset: 0, p_filesz: size, ..segment.clone() };
            Dynamic::parse(&table, &[here], ctx)?.map(|d| d.dyns).unwrap_or_default()
        }
    };
    let entries = entries.iter().map(|d| (d.d_tag, d.d_val));
    let strings = entries.clone().find(|(tag, _)| *tag == DT_STRTAB).and_then(|(_, address)| {
        let segment = segments.iter().find(|s| {
            s.p_type == PT_LOAD && (s.p_vaddr..s.p_vaddr.saturating_add(s.p_memsz)).contains(&address)
        })?;
        (address - segment.p_vaddr).checked_add(segment.p_offset)
    });
    let paths = entries.filter(|(tag, _)| [DT_RUNPATH, DT_RPATH].contains(tag)).take(MOST_SEARCHES);
    let mut search = Vec::new();
    for (_, offset) in paths {
        let Some(start) = strings.and_then(|s| s.checked_add(offset)) else { continue };
        let text = at(start, LONGEST_SEARCH)?;
        let Some(end) = memchr::memchr(0, &text) else { continue };
        let text = String::from_utf8_lossy(&text[..end]).into_owned();
        search.extend(text.split(':').filter(|p| !p.is_empty()).map(str::to_owned));
    }
    let machines = elf_machine(header.e_machine).into_iter().collect();
    Ok(Native { format: Format::Elf, machines, search })
}

fn pe_file(bytes: &[u8]) -> Option<Native> {
    let machine = match pe::Header::parse(bytes).ok()?.coff_header.machine {
        pe::COFF_MACHINE_X86_64 => Some(Machine::X86_64),
        pe::COFF_MACHINE_X86 => Some(Machine::X86),
        pe::COFF_MACHINE_ARM64 => Some(Machine::Arm64),
        _ => None,
    };
    Some(Native { format: Format::Pe, machines: machine.into_iter().collect(), search: Vec::new() })
}

fn mach_file(bytes: &[u8]) -> Option<Native> {
    match Mach::parse(bytes).ok()? {
        Mach::Binary(m) => Some(mach(&[m])),
        Mach::Fat(fat) => {
            let parts = fat.into_iter().take(MOST_PARTS).filter_map(|arch| match arch {
                Ok(SingleArch::MachO(m)) => Some(m),
                _ => None,
            });
            let parts: Vec<_> = parts.collect();
            // A Java class file begins with the same four bytes.
            (!parts.is_empty()).then(|| mach(&parts))
        }
    }
}

fn elf_machine(machine: u16) -> Option<Machine> {
    match machine {
        elf::EM_X86_64 => Some(Machine::X86_64),
        elf::EM_386 => Some(Machine::X86),
        elf::EM_AARCH64 => Some(Machine::Arm64),
        elf::EM_ARM => Some(Machine::Arm),
        elf::EM_PPC64 => Some(Machine::Ppc64),
        elf::EM_S390 => Some(Machine::S390x),
        elf::EM_RISCV => Some(Machine::Riscv),
        258 => Some(Machine::LoongArch),
        _ => None,
    }
}

fn mach(parts: &[MachO<'_>]) -> Native {
    let machines = parts.iter().filter_map(|m| match m.header.cputype() {
        cputype::CPU_TYPE_X86_64 => Some(Machine::X86_64),
        cputype::CPU_TYPE_ARM64 => Some(Machine::Arm64),
        cputype::CPU_TYPE_X86 => Some(Machine::X86),
        _ => None,
    });
    let search = parts.iter().flat_map(|m| {
        let libs = m.libs.iter().filter(|l| l.starts_with("@loader_path")).filter_map(|l| l.rsplit_once('/'));
        m.rpaths.iter().map(|p| (*p).to_owned()).chain(libs.map(|(dir, _)| dir.to_owned()))
    });
    Native { format: Format::MachO, machines: machines.collect(), search: search.collect() }
}

/// The machine of a platform tag; `None` for `any` and for what we do not know.
pub fn machine_of_tag(platform: &str) -> Option<Machine> {
    const NAMES: [(&str, Machine); 12] = [
        ("x86_64", Machine::X86_64),
        ("amd64", Machine::X86_64),
        ("i686", Machine::X86),
        ("win32", Machine::X86),
        ("aarch64", Machine::Arm64),
        ("arm64", Machine::Arm64),
        ("armv7l", Machine::Arm),
        ("armv6l", Machine::Arm),
        ("ppc64le", Machine::Ppc64),
        ("s390x", Machine::S390x),
        ("riscv64", Machine::Riscv),
        ("loongarch64", Machine::LoongArch),
    ];
    NAMES.iter().find(|(name, _)| platform.ends_with(name)).map(|(_, machine)| *machine)
}

/// The format of a platform tag.
pub fn format_of_tag(platform: &str) -> Option<Format> {
    if platform.starts_with("win") {
        Some(Format::Pe)
    } else if platform.starts_with("macosx") || platform.starts_with("ios") {
        Some(Format::MachO)
    } else if platform.contains("linux") || platform.starts_with("android") {
        Some(Format::Elf)
    } else {
        None
    }
}

/// Where a search entry leads, relative to the tree's top, for a file in
/// `folder`; `None` when it leaves the tree or is absolute.
pub fn resolve(folder: &str, search: &str) -> Option<String> {
    let rest = ["$ORIGIN", "${ORIGIN}", "@loader_path"].iter().find_map(|o| search.strip_prefix(o))?;
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            p => parts.push(p),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_paths_are_followed_inside_the_tree_only() {
        assert_eq!(resolve("a/b", "$ORIGIN/../c").as_deref(), Some("a/c"));
        assert_eq!(resolve("a/b", "${ORIGIN}").as_deref(), Some("a/b"));
        assert_eq!(resolve("a", "$ORIGIN/../.."), None);
        assert_eq!(resolve("a", "/usr/lib"), None);
    }

    /// Bytes of a program with some of its own numbers changed, again and again.
    #[test]
    fn what_a_stranger_wrote_into_the_headers_costs_no_time() {
        let sound = std::fs::read("/bin/sh").unwrap();
        assert!(inspect(&sound).unwrap().is_ok());
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut broken = 0;
        for round in 0..400 {
            let mut bytes = sound.clone();
            for _ in 0..[1, 2, 4, 16, 64][next(5)] {
                let at = match next(3) {
                    0 => next(64),
                    1 => 64 + next(836),
                    _ => next(bytes.len()),
                };
                bytes[at] = [0, 1, 127, 128, 255][next(5)];
            }
            if round % 5 == 0 {
                bytes.truncate(4 + next(sound.len() - 4));
            }
            broken += usize::from(!matches!(inspect(&bytes), Some(Ok(_))));
        }
        assert!(broken > 0);
        // A universal binary of four billion parts.
        let fat = [&[0xca, 0xfe, 0xba, 0xbe, 0xff, 0xff, 0xff, 0xff][..], &[0; 32]].concat();
        assert_eq!(inspect(&fat), None);
    }

    #[test]
    fn our_own_test_binary_is_native() {
        let exe = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let native = inspect(&exe).unwrap().unwrap();
        assert_eq!(native.machines.len(), 1);
        assert_eq!(inspect(b"print('hello')"), None);
        assert!(inspect(b"\x7fELFnonsense").unwrap().is_err());
        assert_eq!(machine_of_tag("manylinux_2_17_aarch64"), Some(Machine::Arm64));
        assert_eq!(machine_of_tag("any"), None);
    }
}
