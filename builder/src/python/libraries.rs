//! Which shared libraries an interpreter needs, and where they lie.
//!
//! Knows ELF and the linker's folders. Must never load or start anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use goblin::elf::Elf;

use super::{Facts, Memo};

/// What one ELF file asks the linker for.
struct Asks {
    needed: Vec<String>,
    folders: Vec<PathBuf>,
    loader: Option<PathBuf>,
    kind: (u8, u16),
}

/// The closure of `DT_NEEDED` over the executable and the extension modules of
/// the standard library: the path each library is found at, its folder free of
/// links. On a system without ELF: nothing.
pub fn libraries(exe: &Path, facts: &Facts, key: &str, memo: Memo<'_>) -> Vec<PathBuf> {
    let made: Result<String, ()> = memo.or_make("python-libraries", key, || {
        Ok(find(exe, facts).iter().map(|p| format!("{}\n", p.display())).collect())
    });
    made.unwrap_or_default().lines().map(PathBuf::from).collect()
}

fn find(exe: &Path, facts: &Facts) -> BTreeSet<PathBuf> {
    let Some(main) = read(exe) else { return BTreeSet::new() };
    let mut found: BTreeSet<PathBuf> = main.loader.iter().cloned().collect();
    let kind = main.kind;
    let mut todo = vec![exe.to_owned()];
    for folder in [facts.stdlib.join("lib-dynload"), facts.platstdlib.join("lib-dynload")] {
        let modules = folder.read_dir().into_iter().flatten().flatten().map(|e| e.path());
        todo.extend(modules.filter(|p| p.extension().is_some_and(|e| e == "so")));
    }
    let mut by_name: BTreeMap<String, Option<PathBuf>> = BTreeMap::new();
    while let Some(file) = todo.pop() {
        let Some(asks) = read(&file) else { continue };
        for name in asks.needed {
            if by_name.get(&name).is_some_and(Option::is_some) {
                continue;
            }
            let at = locate(&name, &asks.folders, facts, kind);
            if let Some(at) = &at {
                found.insert(at.clone());
                todo.push(at.clone());
            }
            by_name.insert(name, at);
        }
    }
    found
}

fn locate(name: &str, first: &[PathBuf], facts: &Facts, kind: (u8, u16)) -> Option<PathBuf> {
    let system = ["/lib", "/usr/lib"]
        .into_iter()
        .flat_map(|lib| [format!("{lib}/{}", facts.multiarch), format!("{lib}64"), lib.to_owned()]);
    let local = ["/usr/local/lib".to_owned(), format!("/usr/local/lib/{}", facts.multiarch)];
    let folders = first.iter().cloned().chain(system.chain(local).map(PathBuf::from));
    for folder in folders {
        let file = folder.join(name);
        if file.is_file() && read(&file).is_some_and(|asks| asks.kind == kind) {
            // The folder without links (`/lib` is `/usr/lib`), the name as it is asked for.
            return Some(folder.canonicalize().ok()?.join(name));
        }
    }
    None
}

fn read(file: &Path) -> Option<Asks> {
    let bytes = std::fs::read(file).ok()?;
    let elf = Elf::parse(&bytes).ok()?;
    let origin = file.canonicalize().ok()?.parent()?.display().to_string();
    let expand = |text: &str| PathBuf::from(text.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin));
    let folders = elf.rpaths.iter().chain(&elf.runpaths).flat_map(|list| list.split(':'));
    Some(Asks {
        needed: elf.libraries.iter().map(|name| (*name).to_owned()).collect(),
        folders: folders.filter(|f| !f.is_empty()).map(expand).collect(),
        loader: elf.interpreter.map(PathBuf::from),
        kind: (elf.header.e_ident[goblin::elf::header::EI_CLASS], elf.header.e_machine),
    })
}

/// musl's version, when the interpreter is linked with it: its loader says so
/// when started without arguments.
pub fn musl_version(exe: &Path) -> Option<(u32, u32)> {
    let loader = read(exe)?.loader?;
    if !loader.to_string_lossy().contains("ld-musl") {
        return None;
    }
    let output = std::process::Command::new(loader).env_clear().output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text.lines().find_map(|line| line.strip_prefix("Version "))?;
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
