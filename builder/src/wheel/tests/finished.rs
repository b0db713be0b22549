//! What finishing does to a wheel, and how a finished one is read.

use std::io::Write as _;
use std::sync::Arc;

use expect_test::expect;
use recipes::diag::{Place, SourceFile};

use super::*;

fn place() -> Place {
    let file = SourceFile { path: "demo.toml".into(), text: "upper = [\"flask\"]\n".into() };
    Place { file: Arc::new(file), span: 9..16 }
}

/// The same files by another writer: other order, times, modes, compression, folder entries.
fn by_another_writer(toy: &Toy) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.add_directory("demo", stored).unwrap();
    for member in toy.members().iter().rev() {
        let time = zip::DateTime::from_date_and_time(2024, 5, 6, 7, 8, 10).unwrap();
        let options = stored.unix_permissions(0o600).last_modified_time(time).large_file(true);
        writer.start_file(member.path.as_str(), options).unwrap();
        writer.write_all(&member.bytes.all().unwrap()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_finished_wheel_is_read_without_hashing_it_again() {
    let (toy, relax) = (demo(), Relax::default());
    let name = toy.file_name();
    let finished = finish(&name, &toy.bytes(), &spec(&relax)).unwrap();
    let read = parse_finished(&name, &finished.bytes).unwrap();
    assert_eq!(read.members, parse(&name, &finished.bytes).unwrap().members);
    assert_eq!(read.record, finished.wheel.record);
    assert_eq!(requires(&finished.bytes).unwrap(), read.requires());
    assert_eq!(read.requires().len(), 2);
    // A byte of a file that changed on the disk.
    let mut broken = finished.bytes.clone();
    let first = 30 + "demo/__init__.py".len();
    broken[first] ^= 1;
    let told = text(&parse_finished(&name, &broken).unwrap_err());
    assert!(told.contains("`demo/__init__.py`: it"), "{told}");
    assert!(parse_finished(&name, &broken[..broken.len() - 1]).is_err());
    assert!(requires(&broken[..broken.len() - 1]).is_err());
}

#[test]
fn finishing_gives_the_same_bytes_whatever_the_writer_did() {
    let (toy, relax) = (demo(), Relax::default());
    let name = toy.file_name();
    let finished = finish(&name, &toy.bytes(), &spec(&relax)).unwrap();
    expect!["8f8a8446d4c8fd2663121309fff7f37fecdbcdfdad4252815fa56b181393e496"]
        .assert_eq(&Digest::of(&finished.bytes).hex());
    assert_eq!(finish(&name, &by_another_writer(&toy), &spec(&relax)).unwrap().bytes, finished.bytes);
    assert_eq!(finish(&name, &finished.bytes, &spec(&relax)).unwrap().bytes, finished.bytes);
    assert_eq!(finished.notes, ["removed the top-level folder `tests` (2 files)"]);
    assert_eq!(finished.wheel.dist_info_file("top_level.txt"), Some(b"demo\n".as_slice()));
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&finished.bytes)).unwrap();
    let names: Vec<String> =
        (0..zip.len()).map(|i| zip.by_index(i).unwrap().name().unwrap().into_owned()).collect();
    expect![[r#"
        demo/__init__.py
        demo/data.txt
        demo-1.0.dist-info/METADATA
        demo-1.0.dist-info/WHEEL
        demo-1.0.dist-info/entry_points.txt
        demo-1.0.dist-info/top_level.txt
        demo-1.0.dist-info/RECORD"#]]
    .assert_eq(&names.join("\n"));
    assert_eq!(zip.by_index(0).unwrap().unix_mode(), Some(0o100_644));
}

#[test]
fn relax_edits_the_text_and_reports_every_unknown_name() {
    let toy = demo();
    let name = |n: &str| (n.parse::<PackageName>().unwrap(), place());
    let relax = Relax { upper: vec![name("blinker")], remove: vec![name("click")], ..Relax::default() };
    let finished = finish(&toy.file_name(), &toy.bytes(), &spec(&relax)).unwrap();
    assert_eq!(finished.wheel.requires(), ["Blinker>=1.9 ; python_full_version < '3.11.0a6'"]);
    assert!(finished.wheel.metadata.text().ends_with("\n\nBody.\n"));
    let relax = Relax { dependencies: vec![name("clicks")], upper: vec![name("flask")], ..Relax::default() };
    expect![[r#"
        error[L101] demo.toml:1:10: the wheel does not require `clicks`, so there is nothing to relax
         1 | upper = ["flask"]
           |          ^^^^^^^
          hint: did you mean `click`?
        error[L101] demo.toml:1:10: the wheel does not require `flask`, so there is nothing to relax
         1 | upper = ["flask"]
           |          ^^^^^^^
          hint: it requires blinker, click
    "#]]
    .assert_eq(&text(&finish(&toy.file_name(), &toy.bytes(), &spec(&relax)).unwrap_err()));
}

#[test]
fn byte_code_that_a_wheel_brings_is_left_out() {
    let relax = Relax::default();
    let spec = FinishSpec { relax: &relax, remove_tests: false, namespaces: &[] };
    let brings = toy("s", "1", &[("s/a.py", "X = (\n"), ("s/__pycache__/a.cpython-311.pyc", "code")])
        .file("s-1.data/purelib/__pycache__/b.cpython-311.pyc", b"code");
    let finished = finish(&brings.file_name(), &brings.bytes(), &spec).unwrap();
    let left: Vec<&str> = finished.wheel.members.iter().map(|m| m.path.as_str()).collect();
    assert!(left.contains(&"s/a.py") && !left.iter().any(|p| p.contains("__pycache__")), "{left:?}");
    assert_eq!(finished.notes, ["removed `__pycache__` (2 files)"]);
}

#[test]
fn namespaces_lose_their_init_or_are_refused() {
    let relax = Relax::default();
    let namespaces = ["space".to_owned(), "space.sub".to_owned(), "absent".to_owned()];
    let spec = FinishSpec { relax: &relax, remove_tests: false, namespaces: &namespaces[..2] };
    let old = "__import__('pkg_resources').declare_namespace(__name__)\n";
    let good = toy(
        "s",
        "1",
        &[
            ("space/__init__.py", old),
            ("space/sub/__init__.py", ""),
            ("space/sub/m.py", ""),
            ("s-nspkg.pth", "import x\n"),
        ],
    );
    let finished = finish(&good.file_name(), &good.bytes(), &spec).unwrap();
    let left: Vec<&str> = finished.wheel.members.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(left[3], "space/sub/m.py");
    assert_eq!(finished.notes.len(), 3);
    let bad = toy("s", "1", &[("space/__init__.py", "import os\n"), ("space/sub/m.py", "")]);
    let spec = FinishSpec { namespaces: &namespaces, ..spec };
    expect![[r#"
        error[L102]: `space/__init__.py` has code in it, so `space` cannot be a namespace
          hint: take `space` out of `namespaces`, or patch the file away
        error[L103]: the wheel has nothing in the namespace `absent`
          hint: take `absent` out of `namespaces`
    "#]]
    .assert_eq(&text(&finish(&bad.file_name(), &bad.bytes(), &spec).unwrap_err()));
}
