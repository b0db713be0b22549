//! Archives that lie.

use std::io::Write as _;

use expect_test::{Expect, expect};
use tar::EntryType;

use super::refusal;
use crate::project::{Project, raw_tar_gz, sri};
use crate::world::World;

#[track_caller]
fn refused(bytes: Vec<u8>, expected: Expect) {
    let world = World::new(&[]);
    let project = Project::new("hub", "1.0");
    world.recipe("hub", &project.recipe().replace(&project.hash(), &sri(&bytes)));
    world.index.serve("hub", "hub-1.0.tar.gz", bytes);
    let outside = world.path("escaped");
    expected.assert_eq(&refusal(&world, 1, &["build", "hub"]));
    assert!(!outside.exists());
    assert!(!world.work("result").exists());
}

#[test]
fn a_name_that_leaves_the_archive() {
    let bytes = raw_tar_gz(&[
        (EntryType::Regular, "hub-1.0/setup.py", "", b""),
        (EntryType::Regular, "hub-1.0/../../../../escaped", "", b"out"),
    ]);
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `hub-1.0/../../../../escaped`: its name leaves the archive
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn an_absolute_name() {
    let bytes = raw_tar_gz(&[
        (EntryType::Regular, "hub-1.0/setup.py", "", b""),
        (EntryType::Regular, "/tmp/escaped", "", b"out"),
    ]);
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `/tmp/escaped`: its name is absolute
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn a_symlink_that_leaves_the_archive() {
    let bytes = raw_tar_gz(&[
        (EntryType::Regular, "hub-1.0/setup.py", "", b""),
        (EntryType::Symlink, "hub-1.0/way", "../../../out", b""),
        (EntryType::Regular, "hub-1.0/way/escaped", "", b"out"),
    ]);
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `hub-1.0/way`: it is a link that leaves the archive, to `../../../out`
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn a_name_that_a_terminal_would_act_on() {
    let bytes = raw_tar_gz(&[
        (EntryType::Regular, "hub-1.0/setup.py", "", b""),
        (EntryType::Symlink, "hub-1.0/way", "/\u{1b}]0;owned\u{7}\nerror: gone", b""),
    ]);
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `hub-1.0/way`: it is a link that leaves the archive, to `/\u001b]0;owned\u0007\nerror: gone`
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn a_hard_link_to_something_outside() {
    let bytes = raw_tar_gz(&[
        (EntryType::Regular, "hub-1.0/setup.py", "", b""),
        (EntryType::Link, "hub-1.0/passwd", "/etc/passwd", b""),
    ]);
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `hub-1.0/passwd`: it is a link that leaves the archive, to `/etc/passwd`
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn a_device() {
    let bytes = raw_tar_gz(&[
        (EntryType::Regular, "hub-1.0/setup.py", "", b""),
        (EntryType::Char, "hub-1.0/zero", "", b""),
    ]);
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `hub-1.0/zero`: it is a device
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn a_gzip_bomb() {
    // A gigabyte of nothing in a megabyte, packed once and repeated: gzip
    // members may follow each other.
    let mut header = tar::Header::new_ustar();
    header.set_path("hub-1.0/zeros").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let zip = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let piece = zip(&vec![0; 16 << 20]);
    let mut bytes = zip(header.as_bytes());
    for _ in 0..4096 {
        bytes.extend(&piece);
    }
    refused(
        bytes,
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: entry `hub-1.0/zeros`: it unpacks to more than 200 times its size
          recipe: recipes/hub.toml:1
    "#]],
    );
}

#[test]
fn no_archive_at_all() {
    refused(
        b"<html>please log in</html>".to_vec(),
        expect![[r#"
        error: source of hub 1.0 failed: failed to unpack `hub-1.0.tar.gz`: it is neither tar, tar.gz, tar.bz2, tar.xz nor zip
          recipe: recipes/hub.toml:1
    "#]],
    );
}
