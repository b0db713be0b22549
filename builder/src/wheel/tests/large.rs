//! Wheels larger than what is held of them, against the same wheels held.

use std::io::Read as _;
use std::path::Path;

use super::archive as held_zip;
use super::*;
use crate::wheel::content::Content;

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    /// Words, noise, runs and copies of what came before, so that deflate
    /// makes blocks of every kind.
    fn file(&mut self, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::with_capacity(size + 70_000);
        while bytes.len() < size {
            let n = 1 + self.below(40_000);
            match self.below(5) {
                0 => bytes.extend((0..n).map(|_| self.below(256) as u8)),
                1 => bytes.extend(std::iter::repeat_n(self.below(256) as u8, n)),
                2 if bytes.len() > 300 => {
                    let from = self.below(bytes.len());
                    let copy = bytes[from..(from + n).min(bytes.len())].to_vec();
                    bytes.extend(copy);
                }
                _ => (0..n / 4).for_each(|_| {
                    let word =
                        ["def ", "self", "\n    ", "return ", "x", ".y", "(", ")", "import "][self.below(9)];
                    bytes.extend_from_slice(word.as_bytes());
                }),
            }
        }
        bytes.truncate(size);
        bytes
    }
}

fn spooled(spool: &Spool, bytes: &[u8]) -> Content {
    let mut slot = spool.slot(bytes.len() as u64).unwrap();
    slot.put(bytes).unwrap();
    slot.finish()
}

fn written(members: &[Member], spool: &Spool) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::write(members, spool).unwrap().reader().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn pieces_compress_to_the_bytes_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::within(dir.path());
    let mut numbers = Numbers(1);
    let edges = [1usize << 15, 1 << 16, 3 << 15, 1 << 17, 1 << 20];
    let mut sizes: Vec<usize> = edges.iter().flat_map(|e| [e - 263, e - 1, *e, e + 1, e + 262]).collect();
    sizes.extend([1, 2, 300, 1_500_000]);
    sizes.extend((0..20).map(|_| numbers.below(400_000) + 1));
    let mut files: Vec<Vec<u8>> = sizes.iter().map(|size| numbers.file(*size)).collect();
    files.push((0..300_000).map(|_| numbers.below(256) as u8).collect());
    files.push(vec![0; 5 << 20]);
    for bytes in files {
        let member = |bytes: Content| Member {
            path: crate::tree::RelPath::new("demo/file").unwrap(),
            bytes,
            executable: true,
        };
        let whole = held_zip(&[member(bytes.clone().into())]).unwrap();
        let pieces = written(&[member(spooled(&spool, &bytes))], &spool);
        assert!(whole == pieces, "{} bytes", bytes.len());
    }
}

/// A wheel with a program, a script and files around them, and the archive as
/// a file.
fn large() -> Toy {
    let mut numbers = Numbers(7);
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut text = numbers.file(900_000);
    text.splice(400_000..400_000, b" /build/src/demo/x.c ".iter().copied());
    // Over the edge of a window.
    text.splice((1 << 18) - 6..(1 << 18) - 6, b" /build/elsewhere".iter().copied());
    let script = [b"#!/usr/bin/python3 -s\n".to_vec(), numbers.file(300_000)].concat();
    let mut toy = toy("demo", "1.0", &[("demo/__init__.py", "VALUE = 1\n")]);
    for (path, bytes) in [
        ("demo/_program.so", &program[..program.len().min(12 << 20)]),
        ("demo/text.txt", &text),
        ("demo-1.0.data/scripts/run", &script),
        ("demo-1.0.dist-info/licenses/LICENSE", &numbers.file(150_000)),
    ] {
        toy = toy.file(path, bytes);
    }
    toy
}

/// Paths and bytes below a folder.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_large_wheel_is_the_same_as_if_it_were_held() {
    const HELD: u64 = 100_000;
    let (toy, relax, dir) = (large(), Relax::default(), tempfile::tempdir().unwrap());
    let (name, raw) = (toy.file_name(), toy.bytes());
    let whole = finish(&name, &raw, &spec(&relax)).unwrap();

    let path = dir.path().join("raw.whl");
    std::fs::write(&path, &raw).unwrap();
    let file = || Archive::File(std::fs::File::open(&path).unwrap(), path.metadata().unwrap().len());
    let spool = Spool::within(dir.path()).holding(HELD);
    let done = super::finish::finish(&name, (&file(), &spool), &spec(&relax)).unwrap();
    let held = |wheel: &Wheel| -> u64 {
        wheel.members.iter().filter_map(|m| m.bytes.memory()).map(|b| b.len() as u64).sum()
    };
    assert!(held(&done.wheel) <= HELD, "{}", held(&done.wheel));
    assert!(done.archive.memory().is_none());
    let mut bytes = Vec::new();
    done.archive.reader().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes == whole.bytes);
    assert_eq!(done.wheel.record, whole.wheel.record);

    let (package, version) = ("demo".parse().unwrap(), "1.0".parse().unwrap());
    let spec = LintSpec { name: &package, version: &version, expect: None, build_paths: &[] };
    let found = text(&lint(&done.wheel, &spec).unwrap());
    assert_eq!(found, text(&lint(&whole.wheel, &spec).unwrap()));
    for part in ["`demo/_program.so` is compiled", "`/build/src/demo/x.c`", "the script `run` begins"] {
        assert!(found.contains(part), "{part} in {found}");
    }

    std::fs::write(&path, &bytes).unwrap();
    let read = Wheel::open_finished(&name, &file(), &Spool::within(dir.path()).holding(HELD)).unwrap();
    assert!(held(&read) <= HELD);
    assert_eq!(Wheel::requires_of_finished(&file()).unwrap(), whole.wheel.requires());
    let layout = Layout { python: "3.11".into(), interpreter: Digest::of(b"i") };
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let installed = install(&read, &layout, &a).unwrap();
    assert_eq!(installed.contents, install(&whole.wheel, &layout, &b).unwrap().contents);
    assert!(files(&a) == files(&b));
}

#[test]
fn a_large_archive_that_lies_is_refused_as_a_small_one_is() {
    let (toy, dir) = (demo(), tempfile::tempdir().unwrap());
    let (good, path) = (toy.bytes(), dir.path().join("raw.whl"));
    let mut numbers = Numbers(3);
    let mut refused = 0;
    for _ in 0..300 {
        let mut bad = good.clone();
        bad[numbers.below(good.len())] ^= 1 << numbers.below(8);
        std::fs::write(&path, &bad).unwrap();
        let file = Archive::File(std::fs::File::open(&path).unwrap(), bad.len() as u64);
        let spool = Spool::within(dir.path()).holding(0);
        let of_file = findings(Wheel::open(&toy.file_name(), &file, &spool)).map(|w| w.members);
        let held = parse(&toy.file_name(), &bad).map(|w| w.members);
        assert_eq!(of_file.is_ok(), held.is_ok());
        match (of_file, held) {
            (Ok(a), Ok(b)) => assert!(a == b),
            (Err(a), Err(b)) if !text(&b).contains("does not decompress") => {
                refused += 1;
                assert_eq!(text(&a), text(&b));
            }
            _ => {}
        }
    }
    assert!(refused > 50, "{refused}");
}
