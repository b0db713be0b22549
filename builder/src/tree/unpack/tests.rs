use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::*;

/// One tar header with a right checksum.
fn header(kind: u8, name: &[u8], link: &str, size: u64) -> Vec<u8> {
    let mut block = vec![0u8; 512];
    block[..name.len()].copy_from_slice(name);
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(100, "0000644\0");
    put(124, &format!("{size:011o}\0"));
    put(136, &format!("{:011o}\0", 1_600_000_000));
    put(157, link);
    put(257, "ustar\x0000");
    block[156] = kind;
    seal(&mut block);
    block
}

fn seal(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn entry(kind: u8, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut out = header(kind, name.as_ref(), "", content.len() as u64);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn link(kind: u8, name: &str, to: &str) -> Vec<u8> {
    header(kind, name.as_bytes(), to, 0)
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = entries.concat();
    out.resize(out.len() + 1024, 0);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file before the one under test, so that there is a top folder.
fn good() -> Vec<u8> {
    entry(b'0', "p-1/setup.py", "x")
}

struct Case {
    dir: tempfile::TempDir,
    result: Result<Unpacked, UnpackError>,
}

impl Case {
    fn out(&self) -> PathBuf {
        self.dir.path().join("around/out")
    }
}

/// Unpacks into `around/out`; nothing may appear beside it.
fn run(archive: &[u8], limits: &UnpackLimits) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("around/out");
    fs::create_dir_all(&out).unwrap();
    let path = dir.path().join("archive");
    fs::write(&path, archive).unwrap();
    let result = unpack(&path, "p-1.tar.gz", &out, limits);
    assert_eq!(fs::read_dir(dir.path().join("around")).unwrap().count(), 1, "something escaped");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something escaped");
    Case { dir, result }
}

fn refused(archive: &[u8], expected: Expect) {
    let case = run(archive, &UnpackLimits::default());
    expected.assert_eq(&case.result.unwrap_err().to_string());
}

fn limits() -> UnpackLimits {
    UnpackLimits::default()
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while format!("{length}{rest}").len() != length {
            length += 1;
        }
        body.push_str(&format!("{length}{rest}"));
    }
    entry(b'x', "PaxHeaders/x", body)
}

#[test]
fn an_ordinary_sdist_is_unpacked() {
    let long = format!("p-1/{}/{}", "d".repeat(90), "f".repeat(120));
    let mut run_me = header(b'0', b"p-1/run", "", 0);
    run_me[100..108].copy_from_slice(b"0006755\0");
    seal(&mut run_me);
    let archive = tar(&[
        entry(b'g', "pax_global_header", "18 comment=abcdef\n"),
        entry(b'5', "./p-1/", ""),
        entry(b'0', "p-1//a.txt", "hello"),
        run_me,
        entry(b'L', "././@LongLink", format!("{long}\0")),
        entry(b'0', "p-1/cut", "long"),
        pax(&[("path", "p-1/über"), ("mtime", "1700000000.5")]),
        entry(b'0', "p-1/cut", "pax"),
        link(b'2', "p-1/link", "a.txt"),
        link(b'1', "p-1/hard", "p-1/a.txt"),
        entry(0, "p-1/old-folder/", ""),
    ]);
    let case = run(&gzip(&archive), &limits());
    let unpacked = case.result.as_ref().unwrap();
    assert_eq!(unpacked.top.as_deref(), Some("p-1"));
    assert_eq!(unpacked.newest_mtime, Some(1_700_000_000));
    assert_eq!(unpacked.bytes, 5 + 4 + 3 + 5);
    let out = case.out();
    let read = |p: &str| fs::read_to_string(out.join(p)).unwrap();
    assert_eq!((read("p-1/a.txt").as_str(), read(&long).as_str()), ("hello", "long"));
    assert_eq!((read("p-1/über").as_str(), read("p-1/link").as_str()), ("pax", "hello"));
    assert_eq!(read("p-1/hard"), "hello");
    assert!(out.join("p-1/old-folder").is_dir());
    let mode = |p: &str| fs::metadata(out.join(p)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("p-1"), mode("p-1/a.txt"), mode("p-1/run")), (0o755, 0o644, 0o755));
    // Held in memory it is the same.
    let held = hold(&case.dir.path().join("archive"), &limits(), 1 << 20).unwrap();
    assert_eq!(&held.unpacked, unpacked);
    assert_eq!(held.tree, crate::tree::fs::scan(&out.join("p-1")).unwrap());
    let sealed = case.dir.path().join("sealed");
    fs::create_dir(&sealed).unwrap();
    held.write_sealed(&sealed).unwrap();
    assert_eq!(held.tree, crate::tree::fs::scan(&sealed).unwrap());
    let mode = |p: &str| fs::metadata(sealed.join(p)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("old-folder"), mode("a.txt"), mode("run")), (0o555, 0o444, 0o555));
}

#[test]
fn what_is_too_large_wrong_or_no_gzip_is_not_held_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let held = |archive: &[u8], most: u64| {
        let path = dir.path().join("archive");
        fs::write(&path, archive).unwrap();
        hold(&path, &limits(), most).is_some()
    };
    let archive = tar(&[good(), entry(b'0', "p-1/data", [0; 5000])]);
    let size = archive.len() as u64;
    assert!(held(&gzip(&archive), size) && !held(&gzip(&archive), size - 1));
    // What it says of its size is foreign, too.
    let lies = [gzip(&archive), gzip(&[0; 512])].concat();
    assert!(held(&lies, size + 512) && !held(&lies, size - 1));
    assert!(!held(&archive, size) && !held(b"", size) && !held(b"\x1f\x8b", size));
    assert!(!held(&gzip(&archive)[..100], 1 << 32));
    assert!(!held(&gzip(&tar(&[good(), entry(b'0', "p-1/../x", "")])), size));
    assert!(!held(&gzip(&tar(&[good(), link(b'2', "p-1/out", "../x")])), size));
    assert!(!held(&gzip(&tar(&[good(), good()])), size));
}

#[test]
fn only_what_is_wanted_is_written_and_all_is_judged() {
    let some = |entries: &[Vec<u8>]| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.tar"), tar(entries)).unwrap();
        let into = dir.path().join("into");
        std::fs::create_dir(&into).unwrap();
        let wanted = |path: &str| path.ends_with("/keep.txt");
        let done = unpack_some(&dir.path().join("a.tar"), "a.tar", (&into, &limits()), wanted);
        let files = std::fs::read_dir(into.join("top")).into_iter().flatten();
        let there: Vec<_> = files.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        (done.map(|done| (done.passed, done.entries)), there)
    };
    let entries = [
        entry(b'5', "top/folder/", ""),
        entry(b'0', "top/other.txt", "other"),
        entry(b'0', "top/keep.txt", "kept"),
        link(b'1', "top/hard", "top/other.txt"),
        link(b'2', "top/soft", "other.txt"),
    ];
    let (done, there) = some(&entries);
    assert_eq!(done.unwrap().0, ["top/other.txt", "top/hard"]);
    assert_eq!(there, ["keep.txt"]);
    for bad in [link(b'2', "top/soft", "../../out"), entry(b'0', "top/../../x", ""), entry(b'3', "top/d", "")]
    {
        assert!(some(&[entries[2].clone(), bad]).0.is_err());
    }
}

#[test]
fn every_compression_is_read() {
    let plain = tar(&[good()]);
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(&plain).unwrap();
    // `xz` of the same: its crate is built without the encoder.
    let xz = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AGZdADgLQiMSrYPYyJCEjauMmIa78CDuexc1BvV2wLnt68a/j/iUs7 \
        UMnK9NCvS9se1Qo8GU0dMJYYejqEM8y4fpyhdDL6LMzUjy9sJMJMTpV6x6GQAy1QYHQStBd8z58Ppb3glvE9sMAAAA \
        AL3KOE7OsCK/AAGCAYBQAAA10KgsscRn+wIAAAAABFla";
    let xz = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, xz.replace(' ', "")).unwrap();
    let mut members = gzip(&plain[..700]);
    members.extend(gzip(&plain[700..]));
    members.extend([0; 100]);
    for archive in [plain.clone(), gzip(&plain), bz.finish().unwrap(), xz, members] {
        assert_eq!(run(&archive, &limits()).result.unwrap().entries, 2);
    }
}

#[test]
fn names_that_escape() {
    refused(
        &tar(&[good(), entry(b'0', "p-1/../../evil", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/../../evil`: its name leaves the archive"],
    );
    refused(
        &tar(&[good(), entry(b'0', "/etc/evil", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `/etc/evil`: its name is absolute"],
    );
    refused(
        &tar(&[good(), pax(&[("path", "../evil")]), entry(b'0', "p-1/fine", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `../evil`: its name leaves the archive"],
    );
    refused(
        &tar(&[good(), entry(b'0', b"p-1/\xff\x1b[2J", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/�\\u001b[2J`: its name is not UTF-8"],
    );
    refused(
        &tar(&[good(), pax(&[("path", "p-1/a\0b")]), entry(b'0', "p-1/fine", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/a\\u0000b`: the name has a NUL"],
    );
}

#[test]
fn no_text_of_an_archive_reaches_a_terminal_raw() {
    let esc = "\u{1b}]0;owned\u{7}\nerror: x\u{9b}2J";
    let at = |name: &str| format!("p-1/{esc}{name}");
    for archive in [
        tar(&[good(), link(b'2', "p-1/l", &format!("/{esc}"))]),
        tar(&[good(), link(b'2', &at(""), "setup.py"), entry(b'0', at("/x"), "")]),
        tar(&[good(), entry(b'0', at(""), ""), entry(b'0', at("/x"), "")]),
        tar(&[good(), link(b'1', "p-1/l", &at(""))]),
        tar(&[good(), entry(b'0', at("a"), ""), entry(b'0', at("A"), "")]),
        tar(&[entry(b'0', format!("{esc}/a"), ""), good()]),
        tar(&[good(), entry(b'0', at(&"x".repeat(60)), ""), pax(&[("path", &at(&"x".repeat(300)))]), good()]),
    ] {
        let error = run(&archive, &limits()).result.unwrap_err().to_string();
        assert!(error.contains("\\u001b]0;owned\\u0007\\nerror: x\\u009b2J"), "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn links_that_escape() {
    refused(
        &tar(&[good(), link(b'2', "p-1/l", "/etc/passwd")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a link that leaves the archive, to `/etc/passwd`"
        ],
    );
    refused(
        &tar(&[good(), link(b'2', "p-1/l", "../other")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a link that leaves the archive, to `../other`"
        ],
    );
    refused(
        &tar(&[good(), link(b'2', "p-1/d", "."), link(b'2', "p-1/l", "d/../../..")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a link that leaves the archive, to `d/../../..`"
        ],
    );
    refused(
        &tar(&[good(), link(b'1', "p-1/l", "../../etc/passwd")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a link that leaves the archive, to `../../etc/passwd`"
        ],
    );
    refused(
        &tar(&[good(), link(b'1', "p-1/l", "p-1/later"), entry(b'0', "p-1/later", "x")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a hard link to `p-1/later`, which is no file before it"
        ],
    );
    refused(
        &tar(&[good(), link(b'2', "p-1/s", "setup.py"), link(b'1', "p-1/l", "p-1/s")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a hard link to `p-1/s`, which is no file before it"
        ],
    );
}

#[test]
fn nothing_is_written_through_a_link_or_a_file() {
    refused(
        &tar(&[good(), link(b'2', "p-1/l", "."), entry(b'0', "p-1/l/x", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/l/x`: its name leads through the link `p-1/l`"],
    );
    refused(
        &tar(&[good(), link(b'2', "p-1/l", "setup.py"), entry(b'0', "p-1/l", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is there twice"],
    );
    refused(
        &tar(&[good(), entry(b'0', "p-1/setup.py/x", "x")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/setup.py/x`: its name leads through the file `p-1/setup.py`"
        ],
    );
    refused(
        &tar(&[good(), entry(b'0', "p-1/d/x", "x"), link(b'2', "p-1/d", ".")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/d`: it is there twice"],
    );
}

#[test]
fn special_files() {
    for (kind, expected) in [
        (b'6', expect!["failed to unpack `p-1.tar.gz`: entry `p-1/f`: it is a fifo"]),
        (b'3', expect!["failed to unpack `p-1.tar.gz`: entry `p-1/f`: it is a device"]),
        (b'4', expect!["failed to unpack `p-1.tar.gz`: entry `p-1/f`: it is a device"]),
        (b'S', expect!["failed to unpack `p-1.tar.gz`: entry `p-1/f`: it is a sparse file"]),
        (
            b'V',
            expect!["failed to unpack `p-1.tar.gz`: entry `p-1/f`: an entry of type `V` is not supported"],
        ),
    ] {
        refused(&tar(&[good(), entry(kind, "p-1/f", "")]), expected);
    }
    refused(
        &tar(&[good(), pax(&[("GNU.sparse.major", "1")]), entry(b'0', "p-1/f", "")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `PaxHeaders/x`: it is a sparse file"],
    );
}

#[test]
fn duplicates_case_and_tops() {
    refused(
        &tar(&[good(), entry(b'0', "p-1/setup.py", "y")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/setup.py`: it is there twice"],
    );
    refused(
        &tar(&[good(), entry(b'0', "p-1/Setup.py", "y")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/Setup.py`: it differs from `p-1/setup.py` only in case"
        ],
    );
    refused(
        &tar(&[good(), entry(b'0', "p-1/a/x", "y"), entry(b'0', "p-1/A/y", "y")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/A/y`: it differs from `p-1/a` only in case"],
    );
    refused(
        &tar(&[good(), entry(b'0', "q/x", "y")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `q/x`: it lies outside the top folder `p-1`"],
    );
    refused(
        &tar(&[entry(b'0', "setup.py", "y")]),
        expect!["failed to unpack `p-1.tar.gz`: there is no top folder"],
    );
    let any_top = UnpackLimits { one_top: false, ..limits() };
    assert_eq!(run(&tar(&[good(), entry(b'0', "q/x", "y")]), &any_top).result.unwrap().top, None);
}

#[test]
fn sizes_that_lie() {
    let mut cut = tar(&[good(), entry(b'0', "p-1/big", "x")]);
    cut.truncate(1024 + 512 + 1);
    refused(&cut, expect!["failed to unpack `p-1.tar.gz`: entry `p-1/big`: it is truncated"]);
    refused(
        &tar(&[good(), pax(&[("size", "1024")]), entry(b'0', "p-1/a", "x")]),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/a`: its size is 1 in one header and 1024 in another"
        ],
    );
    refused(
        &tar(&[good(), pax(&[("path", "p-1/a"), ("path", "p-1/b")]), entry(b'0', "p-1/c", "x")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `PaxHeaders/x`: it has two names"],
    );
    refused(
        &tar(&[good(), entry(b'2', "p-1/l", "content")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/l`: it is a link that leaves the archive, to ``"],
    );
    refused(
        &tar(&[good(), entry(b'5', "p-1/d", "content")]),
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/d`: it has a size of 7 and should have none"],
    );
    let mut wrong = tar(&[good(), good()]);
    wrong[1024] ^= 1;
    refused(&wrong, expect!["failed to unpack `p-1.tar.gz`: a header's checksum is wrong"]);
}

#[test]
fn bombs_and_limits() {
    let bomb = tar(&[entry(b'0', "p-1/zeros", vec![0u8; 70 << 20])]);
    refused(
        &gzip(&bomb),
        expect![
            "failed to unpack `p-1.tar.gz`: entry `p-1/zeros`: it unpacks to more than 200 times its size"
        ],
    );
    let check = |archive: &[u8], limits: UnpackLimits, expected: Expect| {
        expected.assert_eq(&run(archive, &limits).result.unwrap_err().to_string());
    };
    let two = tar(&[good(), entry(b'0', "p-1/a", "12345")]);
    check(
        &two,
        UnpackLimits { bytes: 5, ..limits() },
        expect!["failed to unpack `p-1.tar.gz`: it unpacks to more than 5 bytes"],
    );
    check(
        &two,
        UnpackLimits { entries: 2, ..limits() },
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/a`: there are more than 2 entries"],
    );
    check(
        &tar(&[entry(b'0', "p-1/a/b/c", "")]),
        UnpackLimits { depth: 3, ..limits() },
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/a/b/c`: it lies deeper than 3 folders"],
    );
    check(
        &two,
        UnpackLimits { time: Duration::ZERO, ..limits() },
        expect!["failed to unpack `p-1.tar.gz`: unpacking took longer than 0 seconds"],
    );
    // A hard link costs its target's size: many links to a large file are a bomb too.
    let mut links = vec![entry(b'0', "p-1/big", vec![1u8; 40 << 20])];
    links.push(link(b'1', "p-1/again", "p-1/big"));
    check(
        &gzip(&tar(&links)),
        UnpackLimits { ratio: 1, ..limits() },
        expect!["failed to unpack `p-1.tar.gz`: entry `p-1/again`: it unpacks to more than 1 times its size"],
    );
}

#[test]
fn damaged_streams() {
    refused(
        b"hello",
        expect!["failed to unpack `p-1.tar.gz`: it is neither tar, tar.gz, tar.bz2, tar.xz nor zip"],
    );
    let whole = gzip(&tar(&[good()]));
    refused(&whole[..whole.len() - 9], expect!["failed to unpack `p-1.tar.gz`: it is truncated"]);
    let mut wrong_sum = whole.clone();
    let at = whole.len() - 8;
    wrong_sum[at] ^= 1;
    refused(
        &wrong_sum,
        expect!["failed to unpack `p-1.tar.gz`: corrupt gzip stream does not have a matching checksum"],
    );
    let mut behind = whole.clone();
    behind.extend(b"GARBAGE");
    refused(&behind, expect!["failed to unpack `p-1.tar.gz`: there are bytes behind the gzip stream"]);
}

mod zips;
