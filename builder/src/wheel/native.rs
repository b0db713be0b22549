//! Compiled files: what machine they are for, where they look for libraries.
//!
//! Knows ELF, Mach-O and PE through goblin. Must never know wheels.

use goblin::Object;
use goblin::elf::header as elf;
use goblin::mach::{Mach, cputype};
use goblin::pe::header as pe;

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
    match Object::parse(bytes) {
        Ok(Object::Elf(e)) => {
            let search = e.runpaths.iter().chain(&e.rpaths).flat_map(|p| p.split(':'));
            Some(Ok(Native {
                format: Format::Elf,
                machines: elf_machine(e.header.e_machine).into_iter().collect(),
                search: search.filter(|p| !p.is_empty()).map(str::to_owned).collect(),
            }))
        }
        Ok(Object::Mach(Mach::Binary(m))) => Some(Ok(mach(&[m]))),
        Ok(Object::Mach(Mach::Fat(fat))) => {
            let all: Vec<_> = fat
                .into_iter()
                .filter_map(|arch| match arch {
                    Ok(goblin::mach::SingleArch::MachO(m)) => Some(m),
                    _ => None,
                })
                .collect();
            // A Java class file begins with the same four bytes.
            (!all.is_empty()).then(|| Ok(mach(&all)))
        }
        Ok(Object::PE(p)) => {
            let machine = match p.header.coff_header.machine {
                pe::COFF_MACHINE_X86_64 => Some(Machine::X86_64),
                pe::COFF_MACHINE_X86 => Some(Machine::X86),
                pe::COFF_MACHINE_ARM64 => Some(Machine::Arm64),
                _ => None,
            };
            Some(Ok(Native {
                format: Format::Pe,
                machines: machine.into_iter().collect(),
                search: Vec::new(),
            }))
        }
        // `MZ` and the Mach-O magics also begin files of other kinds.
        _ if head != *b"\x7fELF" => None,
        Ok(_) => None,
        Err(e) => Some(Err(e.to_string())),
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

fn mach(parts: &[goblin::mach::MachO<'_>]) -> Native {
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
