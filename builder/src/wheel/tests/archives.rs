//! Archives that lie, are ambiguous or are broken.

use expect_test::expect;

use super::*;

#[test]
fn a_record_that_lies_is_refused_with_every_lie() {
    let toy = demo();
    let mut members = toy.members();
    for member in &mut members {
        match member.path.as_str() {
            "demo/__init__.py" => member.bytes = [&member.bytes.all().unwrap(), &b"#"[..]].concat().into(),
            "demo-1.0.dist-info/RECORD" => {
                let text = String::from_utf8(member.bytes.all().unwrap().into_owned()).unwrap();
                let kept: String =
                    text.split_inclusive('\n').filter(|l| !l.starts_with("demo/data")).collect();
                member.bytes =
                    format!("{kept}ghost.py,sha256=x,1\ntests/__init__.py,,\n").into_bytes().into();
            }
            _ => {}
        }
    }
    let bytes = archive(&members).unwrap();
    expect![[r#"
        error[L006]: RECORD: `demo/__init__.py` has another hash
        error[L006]: RECORD: `demo/data.txt` is not listed
        error[L006]: RECORD: `ghost.py` is listed but is not in the wheel
        error[L006]: RECORD: `tests/__init__.py` is listed 2 times
    "#]]
    .assert_eq(&text(&parse(&toy.file_name(), &bytes).unwrap_err()));
}

#[test]
fn archives_that_two_readers_could_read_differently_are_refused() {
    let good = toy("a", "1", &[("a.py", "x = 1\n")]).bytes();
    let read = |bytes: &[u8]| unzip(bytes, &Limits::default()).unwrap_err().join("; ");
    let mut trailing = good.clone();
    trailing.push(0);
    let mut renamed = good.clone();
    renamed[30] = b'b';
    let mut crc = good.clone();
    let stored = good.windows(6).position(|w| w == b"x = 1\n").unwrap();
    crc[stored] = b'y';
    let member = |path: &str| Member {
        path: crate::tree::RelPath::new(path).unwrap(),
        bytes: vec![1].into(),
        executable: false,
    };
    let twice = archive(&[member("a"), member("a")]).unwrap();
    let cased = archive(&[member("a"), member("A")]).unwrap();
    let nested = archive(&[member("a"), member("a/b")]).unwrap();
    let escape = archive(&[member("xx/yyyy")]).unwrap();
    let escape = replace(&escape, b"xx/yyyy", b"../yyyy");
    let mut link = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    link.add_symlink("l", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    let link = link.finish().unwrap().into_inner();
    let small = Limits { bytes: 10, members: 10, ..Limits::default() };
    let bomb = unzip(
        &archive(&[member("a"), Member { bytes: vec![0; 100].into(), ..member("b") }]).unwrap(),
        &small,
    );
    expect![[r#"
        it is not a zip archive, or there is data after its end
        `a.py`: its local and central headers disagree
        `a.py`: its checksum is wrong
        `a` is there twice
        `a` and `A` differ only in case
        `a` is a file and the folder of `a/b`
        `../yyyy` has a `..` part
        `l` is a symbolic link
        the members hold 101 bytes, more than 10 are allowed
        it is not a zip archive, or there is data after its end"#]]
    .assert_eq(
        &[
            read(&trailing),
            read(&renamed),
            read(&crc),
            read(&twice),
            read(&cased),
            read(&nested),
            read(&escape),
            read(&link),
            bomb.unwrap_err().join("; "),
            read(b""),
        ]
        .join("\n"),
    );
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from {
            out[at..at + to.len()].copy_from_slice(to);
        }
    }
    out
}

#[test]
fn a_cut_or_flipped_archive_never_panics() {
    let good = demo().bytes();
    for cut in (0..good.len()).step_by(7) {
        assert!(unzip(&good[..cut], &Limits::default()).is_err());
    }
    let want = unzip(&good, &Limits::default()).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        // Some fields (times, versions) mean nothing; what is read is then the same but for modes and names.
        if let Ok(members) = unzip(&bad, &Limits::default()) {
            assert_eq!(members.len(), want.len());
        }
    }
}
