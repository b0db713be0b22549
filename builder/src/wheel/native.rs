//! Compiled files: what machine they are for, where they look for libraries.
//!
//! Knows ELF, Mach-O and PE through goblin. Must never know wheels.

use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_RPATH, DT_RUNPATH, DT_STRTAB, Dynamic};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, header as elf};
use goblin::mach::{Mach, MachO, SingleArch, cputype};
use goblin::pe::header as pe;

/// Bytes of one RUNPATH that are looked at: paths of a file system.
const LONGEST_SEARCH: usize = 1 << 16;
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

/// Looks at a file; `None` when it is not compiled code. A file that begins
/// like one but cannot be read gives an error sentence.
pub fn inspect(bytes: &[u8]) -> Option<Result<Native, String>> {
    const MACH: [[u8; 4]; 4] = [
        [0xcf, 0xfa, 0xed, 0xfe],
        [0xce, 0xfa, 0xed, 0xfe],
        [0xca, 0xfe, 0xba, 0xbe],
        [0xfe, 0xed, 0xfa, 0xcf],
    ];
    let head: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let pe = head.starts_with(b"MZ") && bytes.len() > 0x40;
    if head != *b"\x7fELF" && !pe && !MACH.contains(&head) {
        return None;
    }
    let found = match &head {
        b"\x7fELF" => return Some(elf_file(bytes).map_err(|e| e.to_string())),
        [b'M', b'Z', ..] => pe_file(bytes),
        _ => mach_file(bytes),
    };
    // `MZ` and the Mach-O magics also begin files of other kinds.
    found.map(Ok)
}

/// Only the headers and the dynamic section: symbols, relocations and string
/// tables are a stranger's numbers, and reading them all may take for ever.
fn elf_file(bytes: &[u8]) -> goblin::error::Result<Native> {
    let header = Elf::parse_header(bytes)?;
    let ctx = Ctx::new(header.container()?, header.endianness()?);
    let (at, count) = (usize::try_from(header.e_phoff).unwrap_or(usize::MAX), usize::from(header.e_phnum));
    let segments = match count {
        0 => Vec::new(),
        _ => ProgramHeader::parse(bytes, at, count, ctx)?,
    };
    let dynamic = Dynamic::parse(bytes, &segments, ctx)?;
    let entries = dynamic.iter().flat_map(|d| &d.dyns).map(|d| (d.d_tag, d.d_val));
    let strings = entries.clone().find(|(tag, _)| *tag == DT_STRTAB).and_then(|(_, address)| {
        let segment = segments.iter().find(|s| {
            s.p_type == PT_LOAD && (s.p_vaddr..s.p_vaddr.saturating_add(s.p_memsz)).contains(&address)
        })?;
        bytes.get(usize::try_from((address - segment.p_vaddr).checked_add(segment.p_offset)?).ok()?..)
    });
    let text = |offset: u64| {
        let rest = strings?.get(usize::try_from(offset).ok()?..)?;
        let end = memchr::memchr(0, &rest[..rest.len().min(LONGEST_SEARCH)])?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let paths = entries.filter(|(tag, _)| [DT_RUNPATH, DT_RPATH].contains(tag)).take(MOST_SEARCHES);
    let search = paths.filter_map(|(_, offset)| text(offset));
    Ok(Native {
        format: Format::Elf,
        machines: elf_machine(header.e_machine).into_iter().collect(),
        search: search
            .flat_map(|p| p.split(':').map(str::to_owned).collect::<Vec<_>>())
            .filter(|p| !p.is_empty())
            .collect(),
    })
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
