//! METADATA from the tail of a wheel, or from beside it.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;

use super::*;

/// A wheel of `padding` bytes before its METADATA.
fn wheel(padding: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("foo/data", stored).unwrap();
    zip.write_all(&vec![7; padding]).unwrap();
    zip.start_file("foo-1.0.dist-info/METADATA", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all("Name: foo\nRequires-Dist: bar\n".as_bytes()).unwrap();
    zip.start_file("foo-1.0.dist-info/RECORD", stored).unwrap();
    zip.write_all(&vec![b'r'; padding / 4]).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn metadata_comes_from_the_wheels_tail() {
    let whole = wheel(1 << 20);
    let size = whole.len();
    let server = Server::start(move |r| match (r.path.as_str(), r.header("range")) {
        ("/simple/foo/", _) => json(&plain(&["foo-1.0-py3-none-any.whl"])),
        ("/simple/suffixless/", _) => json(&plain(&["suffixless-1.0-py3-none-any.whl"])),
        ("/simple/rangeless/", _) => json(&plain(&["rangeless-1.0-py3-none-any.whl"])),
        ("/files/suffixless-1.0-py3-none-any.whl", Some(range)) if range.starts_with("bytes=-") => {
            Reply::status(501)
        }
        ("/files/rangeless-1.0-py3-none-any.whl", _) => Reply::ok(whole.clone()),
        _ => Reply::ok(whole.clone()).ranged(r),
    });
    let (index, _) = World::new(&server).run();
    for project in ["foo", "suffixless", "rangeless"] {
        let wheel = index.project(&name(project)).unwrap().files[0].clone();
        assert_eq!(index.metadata(&wheel).unwrap(), "Name: foo\nRequires-Dist: bar\n", "{project}");
    }
    let ranges: Vec<String> = server
        .requests()
        .iter()
        .filter(|r| r.path.contains("files/foo"))
        .map(|r| r.header("range").unwrap().to_owned())
        .collect();
    assert!(ranges.len() <= 3 && ranges[0] == "bytes=-65536", "{ranges:?} of {size}");
}

#[test]
fn metadata_beside_the_wheel_is_verified() {
    let body = "Name: foo\n";
    let hash = crate::key::Digest::of(body.as_bytes()).hex();
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |r| match r.path.as_str() {
        "/simple/foo/" => json(&format!(
            "{{\"filename\": \"foo-1.0-py3-none-any.whl\", \"url\": \"/w.whl\", \"hashes\": {{}}, \
               \"core-metadata\": {{\"sha256\": \"{hash}\"}}}}"
        )),
        "/w.whl.metadata" if tries.fetch_add(1, Ordering::SeqCst) == 0 => Reply::ok(body),
        "/w.whl.metadata" => Reply::ok("Name: evil\n"),
        _ => Reply::not_found(),
    });
    let (index, _) = World::new(&server).run();
    let wheel = index.project(&name("foo")).unwrap().files[0].clone();
    assert_eq!(index.metadata(&wheel).unwrap(), body);
    let error = index.metadata(&wheel).unwrap_err().into_error().to_string();
    expect!["failed to read METADATA of `foo-1.0-py3-none-any.whl`: it has another hash than the index says"]
        .assert_eq(&error);
}
