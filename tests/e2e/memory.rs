//! What the program itself needs of memory, whatever it works on.

use std::io::{Cursor, Read as _, Write as _};
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::project::{Project, sri};
use crate::world::World;

/// Bytes at most: what the corpus run may need.
const MOST: u64 = 100_000_000;

/// Waits for a child; gives the most memory it has had, as far as the kernel
/// was asked: the figure only grows, and its last milliseconds are its end.
fn peak(child: &mut Child) -> u64 {
    let pid = Pid::from_child(child);
    let end = pidfd_open(pid, PidfdFlags::empty()).expect("it was not waited for yet");
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).and_then(|n| n.parse::<u64>().ok());
        peak = kib.map_or(peak, |kib| kib * 1024);
        let soon = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        if poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&soon)).expect("it can be waited for") > 0 {
            return peak;
        }
    }
}

/// A wheel of 120 MB: one file of noise, and one that is easy to compress.
fn wheel() -> Vec<u8> {
    let mut state = 1u64;
    let noise: Vec<u8> = (0..(3 << 20))
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state ^ (state >> 29)).to_le_bytes()
        })
        .collect();
    let text = b"what is written again and again\n".repeat(3 << 20);
    let info = "hub-1.0.dist-info";
    let mut files = vec![
        ("hub/__init__.py".to_owned(), b"VERSION = \"1.0\"\n".to_vec()),
        ("hub/noise.bin".to_owned(), noise),
        ("hub/text.txt".to_owned(), text),
        (format!("{info}/METADATA"), b"Metadata-Version: 2.1\nName: hub\nVersion: 1.0\n".to_vec()),
        (
            format!("{info}/WHEEL"),
            b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_vec(),
        ),
    ];
    let record: String = files
        .iter()
        .map(|(path, bytes)| {
            // RECORD writes the same digest in another alphabet, without its end.
            let hash = sri(bytes).replace("sha256-", "sha256=").replace('+', "-").replace('/', "_");
            format!("{path},{},{}\n", hash.trim_end_matches('='), bytes.len())
        })
        .collect();
    files.push((format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n").into_bytes()));
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_level(Some(1));
    for (path, bytes) in files {
        zip.start_file(path, options).expect("memory takes it");
        zip.write_all(&bytes).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}

#[test]
fn a_wheel_larger_than_our_memory_is_finished_and_installed() {
    let world = World::empty();
    let file = "hub-1.0-py3-none-any.whl";
    let bytes = wheel();
    world.recipe(
        "hub",
        &format!(
            "pname = \"hub\"\nversion = \"1.0\"\nformat = \"wheel\"\n\
             [source]\npypi = \"hub\"\nfile = \"{file}\"\nhash = \"{}\"\n",
            sri(&bytes)
        ),
    );
    world.index.serve("hub", file, bytes);
    let mut child = world.command(&["build", "hub"]).spawn().expect("the program can be started");
    let peak = peak(&mut child);
    let mut said = String::new();
    child.stderr.take().expect("it is a pipe").read_to_string(&mut said).expect("it is text");
    assert_eq!(child.wait().expect("it was started").code(), Some(0), "{said}");
    let site = format!("result/lib/python{}/site-packages/hub", crate::world::python_version());
    let size = |name: &str| world.work(&site).join(name).metadata().expect("it is installed").len();
    assert_eq!((size("noise.bin"), size("text.txt")), (24 << 20, 96 << 20));
    assert!(peak > 1 << 20, "{peak} bytes at most: it was not asked for");
    assert!(peak < MOST, "{peak} bytes at most");
}

#[test]
fn a_build_that_says_more_than_our_memory_holds_keeps_both_ends_of_it() {
    let hook = "print('the first line')\n\
                for i in range(60): print(('x' * 99 + chr(10)) * 10000, flush=True)\n\
                print('the last line')\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(hook)]);
    let mut child = world.command(&["build", "hub", "--json"]).spawn().expect("the program can be started");
    let peak = peak(&mut child);
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
    let log = world.ok(&["log", "hub"]).stdout;
    for part in ["the first line", "bytes of log dropped here", "the last line"] {
        assert!(log.contains(part), "{part}");
    }
    assert!(peak < MOST, "{peak} bytes at most");
}
