use super::*;

/// One entry as both headers tell it; a test changes one of the two.
#[derive(Clone)]
struct Part {
    name: Vec<u8>,
    content: Vec<u8>,
    deflate: bool,
    mode: u32,
    descriptor: bool,
    local: fn(&mut Vec<u8>),
    central: fn(&mut Vec<u8>),
}

fn part(name: &str, content: &str) -> Part {
    Part {
        name: name.into(),
        content: content.into(),
        deflate: true,
        mode: 0o100_644,
        descriptor: false,
        local: |_| {},
        central: |_| {},
    }
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn fields(out: &mut Vec<u8>, wide: &[u32]) {
    for value in wide {
        out.extend(value.to_le_bytes());
    }
}

fn pair(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

fn zip(parts: &[Part]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for p in parts {
        let offset = out.len() as u32;
        let packed = if p.deflate { deflate(&p.content) } else { p.content.clone() };
        let crc = {
            let mut crc = flate2::Crc::new();
            crc.update(&p.content);
            crc.sum()
        };
        let flags = 1 << 11 | if p.descriptor { 1 << 3 } else { 0 };
        let method = if p.deflate { 8 } else { 0 };
        // 2020-09-13 12:26:40
        let time = pair(12 << 11 | 26 << 5 | 20, 40 << 9 | 9 << 5 | 13);
        let sizes = [crc, packed.len() as u32, p.content.len() as u32];
        let mut local = Vec::new();
        fields(&mut local, &[0x0403_4b50, pair(20, flags), pair(method, time as u16), time >> 16]);
        local.truncate(14);
        fields(&mut local, if p.descriptor { &[0, 0, 0] } else { &sizes });
        fields(&mut local, &[pair(p.name.len() as u16, 0)]);
        local.extend(&p.name);
        (p.local)(&mut local);
        out.extend(local);
        out.extend(&packed);
        if p.descriptor {
            fields(&mut out, &[0x0807_4b50]);
            fields(&mut out, &sizes);
        }
        let mut central = Vec::new();
        fields(&mut central, &[0x0201_4b50, pair(3 << 8 | 20, 20), pair(flags, method), time]);
        fields(&mut central, &sizes);
        fields(&mut central, &[pair(p.name.len() as u16, 0), 0, 0]);
        central.truncate(38);
        fields(&mut central, &[p.mode << 16, offset]);
        central.extend(&p.name);
        (p.central)(&mut central);
        directory.extend(central);
    }
    let (start, length, count) = (out.len() as u32, directory.len() as u32, parts.len() as u16);
    out.extend(directory);
    fields(&mut out, &[0x0605_4b50, 0, pair(count, count), length, start]);
    out.extend([0, 0]);
    out
}

fn wheel(archive: &[u8]) -> Result<Unpacked, UnpackError> {
    run(archive, &UnpackLimits { one_top: false, ..limits() }).result
}

fn refused(parts: &[Part], expected: Expect) {
    expected.assert_eq(&wheel(&zip(parts)).unwrap_err().to_string());
}

#[test]
fn an_ordinary_zip_is_unpacked() {
    let big = "0123456789".repeat(30_000);
    let parts = [
        Part { mode: 0o040_755, ..part("p-1/", "") },
        part("p-1/a", &big),
        Part { mode: 0o100_755, descriptor: true, ..part("p-1/run", "#!") },
        Part { deflate: false, ..part("p-1/plain", "stored") },
        Part { mode: 0, ..part("p-1/über", "") },
    ];
    let case = run(&zip(&parts), &limits());
    let unpacked = case.result.as_ref().unwrap();
    assert_eq!(unpacked.top.as_deref(), Some("p-1"));
    assert_eq!(unpacked.newest_mtime, Some(1_600_000_000));
    let out = case.out();
    assert_eq!(fs::read_to_string(out.join("p-1/a")).unwrap(), big);
    assert_eq!(fs::read_to_string(out.join("p-1/plain")).unwrap(), "stored");
    let mode = |p: &str| fs::metadata(out.join(p)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("p-1/a"), mode("p-1/run"), mode("p-1/über")), (0o644, 0o755, 0o644));
}

#[test]
fn a_wheel_needs_no_top_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p-1-py3-none-any.whl");
    fs::write(&path, zip(&[part("p/__init__.py", "1"), part("p-1.dist-info/WHEEL", "2")])).unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    assert_eq!(unpack_wheel(&path, &out, &limits()).unwrap().entries, 4);
    fs::write(&path, "no zip").unwrap();
    expect!["failed to unpack `p-1-py3-none-any.whl`: it has no central directory: it is truncated"]
        .assert_eq(&unpack_wheel(&path, &out, &limits()).unwrap_err().to_string());
}

#[test]
fn names() {
    refused(
        &[part("../evil", "x")],
        expect!["failed to unpack `p-1.tar.gz`: entry `../evil`: its name leaves the archive"],
    );
    refused(
        &[part("/evil", "x")],
        expect!["failed to unpack `p-1.tar.gz`: entry `/evil`: its name is absolute"],
    );
    refused(
        &[part("a", "x"), part("a", "y")],
        expect!["failed to unpack `p-1.tar.gz`: entry `a`: it is there twice"],
    );
    refused(
        &[part("a/x", "x"), part("A/y", "y")],
        expect!["failed to unpack `p-1.tar.gz`: entry `A/y`: it differs from `a` only in case"],
    );
    refused(
        &[Part { name: b"\xfe".into(), ..part("", "x") }],
        expect!["failed to unpack `p-1.tar.gz`: entry `�`: its name is not UTF-8"],
    );
}

#[test]
fn links_and_special_files() {
    refused(
        &[Part { mode: 0o120_777, ..part("l", "/etc/passwd") }],
        expect!["failed to unpack `p-1.tar.gz`: entry `l`: it is a symbolic link"],
    );
    refused(
        &[Part { mode: 0o010_644, ..part("f", "") }],
        expect!["failed to unpack `p-1.tar.gz`: entry `f`: it is neither file nor folder"],
    );
    refused(
        &[Part { mode: 0o040_755, ..part("d", "") }],
        expect![
            "failed to unpack `p-1.tar.gz`: entry `d`: its kind in the local header is not that in the central directory"
        ],
    );
}

#[test]
fn headers_that_disagree() {
    refused(
        &[Part { local: |h| h[30] = b'b', ..part("a", "x") }],
        expect![
            "failed to unpack `p-1.tar.gz`: entry `a`: its name in the local header is not that in the central directory"
        ],
    );
    refused(
        &[Part { local: |h| h[8] = 0, ..part("a", "x") }],
        expect![
            "failed to unpack `p-1.tar.gz`: entry `a`: its compression method in the local header is not that in the central directory"
        ],
    );
    refused(
        &[Part { local: |h| h[22] += 1, ..part("a", "x") }],
        expect![
            "failed to unpack `p-1.tar.gz`: entry `a`: its size in the local header is not that in the central directory"
        ],
    );
    refused(
        &[Part { local: |h| h[14] ^= 1, ..part("a", "x") }],
        expect![
            "failed to unpack `p-1.tar.gz`: entry `a`: its checksum in the local header is not that in the central directory"
        ],
    );
}

#[test]
fn sizes_and_checksums_that_lie() {
    let both = |change: fn(&mut Vec<u8>, usize)| {
        let mut archive = zip(&[part("a", "hello")]);
        let central = archive.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let mut head = archive[..30].to_vec();
        change(&mut head, 14);
        archive[..30].copy_from_slice(&head);
        let mut tail = archive.split_off(central);
        change(&mut tail, 16);
        archive.extend(tail);
        wheel(&archive).unwrap_err().to_string()
    };
    expect!["failed to unpack `p-1.tar.gz`: entry `a`: it holds more bytes than the central directory says"]
        .assert_eq(&both(|h, at| h[at + 8] -= 1));
    expect!["failed to unpack `p-1.tar.gz`: entry `a`: it holds fewer bytes than the central directory says"]
        .assert_eq(&both(|h, at| h[at + 8] += 1));
    expect!["failed to unpack `p-1.tar.gz`: entry `a`: its checksum is wrong"]
        .assert_eq(&both(|h, at| h[at] ^= 1));
}

#[test]
fn overlap_and_stray_bytes() {
    // Both entries of the central directory name the first local header.
    refused(
        &[part("a", "x"), Part { central: |c| c[42..46].fill(0), ..part("a", "x") }],
        expect!["failed to unpack `p-1.tar.gz`: entry `a`: it shares bytes with another entry"],
    );
    let good = zip(&[part("a", "x")]);
    let check = |archive: &[u8], expected: Expect| {
        expected.assert_eq(&wheel(archive).unwrap_err().to_string());
    };
    let mut behind = good.clone();
    behind.push(0);
    check(&behind, expect!["failed to unpack `p-1.tar.gz`: there are bytes that belong to no entry"]);
    let mut before = b"PK\x03\x04junk".to_vec();
    before.extend(&good);
    check(&before, expect!["failed to unpack `p-1.tar.gz`: there are bytes that belong to no entry"]);
    let mut hidden = zip(&[part("a", "x"), part("b", "y")]);
    // Drop `b` from the central directory: its bytes belong to nobody.
    let at = hidden.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    hidden.drain(at..at + 47);
    let end = hidden.len() - 22;
    hidden[end + 8] = 1;
    hidden[end + 10] = 1;
    hidden[end + 12] -= 47;
    check(&hidden, expect!["failed to unpack `p-1.tar.gz`: there are bytes that belong to no entry"]);
}

#[test]
fn the_clock_is_asked_inside_a_member_too() {
    let mut one = part("p-1/big", "");
    one.content = vec![1; 32 << 20];
    one.deflate = false;
    let limits = UnpackLimits { time: Duration::from_millis(2), ..limits() };
    let error = run(&zip(&[one]), &limits).result.unwrap_err().to_string();
    assert!(error.ends_with("unpacking took longer than 0 seconds"), "{error}");
}

#[test]
fn encryption_and_bombs() {
    refused(
        &[Part { local: |h| h[6] |= 1, central: |c| c[8] |= 1, ..part("a", "x") }],
        expect!["failed to unpack `p-1.tar.gz`: entry `a`: it is encrypted"],
    );
    let zeros = String::from_utf8(vec![b'0'; 70 << 20]).unwrap();
    refused(
        &[part("zeros", &zeros)],
        expect!["failed to unpack `p-1.tar.gz`: entry `zeros`: it unpacks to more than 200 times its size"],
    );
}
