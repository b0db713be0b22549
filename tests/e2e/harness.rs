//! The harness itself keeps its promises.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::index::{Index, Trouble};
use crate::output::Redactions;
use crate::project::{Project, hex, raw_tar_gz};
use crate::world::{World, python};

fn get(index: &Index, path: &str, accept: &str) -> (u16, Vec<u8>) {
    let host = index.host();
    let mut stream = TcpStream::connect(host.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[at..].to_vec())
}

#[test]
fn the_index_serves_pages_and_files_and_their_troubles() {
    let (index, project) = (Index::start(), Project::new("Nave.Hub", "1.0"));
    index.publish(&project);
    let (status, page) = get(&index, "/simple/nave-hub/", "application/vnd.pypi.simple.v1+json");
    let page: serde_json::Value = serde_json::from_slice(&page).unwrap();
    assert_eq!((status, &page["files"][0]["filename"]), (200, &"nave_hub-1.0.tar.gz".into()));
    assert_eq!(page["files"][0]["hashes"]["sha256"], hex(&project.sdist()));
    index.only_html();
    let (_, html) = get(&index, "/simple/nave-hub/", "application/vnd.pypi.simple.v1+json");
    assert!(String::from_utf8(html).unwrap().contains("../../files/nave_hub-1.0.tar.gz#sha256="));
    let file = "/files/nave_hub-1.0.tar.gz";
    assert_eq!(get(&index, file, "*/*"), (200, project.sdist()));
    index.trouble("nave_hub-1.0.tar.gz", Trouble::Failing(503, 1));
    assert_eq!(get(&index, file, "*/*").0, 503);
    assert_eq!(get(&index, file, "*/*").0, 200);
    index.trouble("nave_hub-1.0.tar.gz", Trouble::CutAfter(7));
    assert_eq!(get(&index, file, "*/*").1.len(), 7);
    index.trouble("nave_hub-1.0.tar.gz", Trouble::Swapped(b"other".to_vec()));
    assert_eq!(get(&index, file, "*/*").1, b"other");
    index.trouble("nave_hub-1.0.tar.gz", Trouble::Gone);
    assert_eq!(get(&index, file, "*/*").0, 404);
    assert_eq!((get(&index, "/simple/rim/", "*/*").0, index.downloads()), (404, 6));
}

#[test]
fn the_toy_backend_makes_wheels_that_pip_s_own_rules_accept() {
    let world = World::empty();
    let project = Project::new("hub", "1.0").needs("spoke>=1").console("hub", "hub:main");
    world.unpack("hub", &project);
    world.write("toy.py", include_str!("toy.py"));
    let say = "import sys, os; sys.path.insert(0, '..'); import toy; print(toy.build_wheel('..'))";
    let output = Command::new(python()).args(["-c", say]).current_dir(world.work("hub")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hub-1.0-py3-none-any.whl\n", "{output:?}");
    let file = std::fs::File::open(world.work("hub-1.0-py3-none-any.whl")).unwrap();
    let archive = zip::ZipArchive::new(file).unwrap();
    let names: Vec<String> = archive.file_names().map(|n| n.unwrap().into_owned()).collect();
    expect_test::expect![[r#"
        hub/__init__.py
        hub-1.0.dist-info/METADATA
        hub-1.0.dist-info/WHEEL
        hub-1.0.dist-info/entry_points.txt
        hub-1.0.dist-info/RECORD"#]]
    .assert_eq(&names.join("\n"));
}

#[test]
fn what_differs_between_runs_is_redacted() {
    let redactions = Redactions::default().of("/tmp/x".to_owned(), "[ROOT]");
    let text = "built /tmp/x/a in 1.25s, 3 ms and 2min: 0123456789ab, sha256-ab12; feedback 1.0 2 sets 10.";
    expect_test::expect![
        "built [ROOT]/a in [TIME], [TIME] and [TIME]: [KEY], sha256-ab12; feedback 1.0 2 sets 10."
    ]
    .assert_eq(&redactions.apply(text));
}

#[test]
fn archives_that_lie_can_be_made() {
    let bytes = raw_tar_gz(&[(tar::EntryType::Symlink, "a-1/x", "/etc/passwd", b"")]);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(entry.link_name().unwrap().unwrap().to_str(), Some("/etc/passwd"));
}

#[test]
fn an_ordinary_user_can_start_the_program_and_owns_the_world() {
    let mut world = World::empty();
    world.as_ordinary_user();
    world.umask("077");
    let output = world.run(&["--version"]);
    assert_eq!(output.code, Some(0), "{output}");
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(world.work("recipes").metadata().unwrap().uid(), crate::world::ORDINARY);
    }
}
