//! What a project page says, in JSON, in HTML and in a folder.

use std::io::Write as _;

use expect_test::expect;

use super::*;
use crate::fetch::{FetchSpec, Fetched, Watch, What};

#[test]
fn a_json_page_is_read_whole() {
    let server = Server::start(|_| {
        json(
            r#"{"filename": "Foo_Bar-1.0-py3-none-any.whl", "url": "/f/Foo_Bar-1.0-py3-none-any.whl#x", "size": 5,
              "hashes": {"md5": "x", "sha256": "0000000000000000000000000000000000000000000000000000000000000000"},
              "requires-python": ">=3.8", "yanked": "broken", "core-metadata": {"sha256": "ab"}, "gpg-sig": false,
              "dist-info-metadata": true, "upload-time": "2024-01-01T00:00:00Z", "provenance": null},
             {"filename": "foo-bar-1.1.tar.gz", "url": "https://me:pw@f.test/a%2Bb", "hashes": {}, "yanked": null},
             {"filename": "../foo-bar-1.2.tar.gz", "url": "x", "hashes": {}},
             {"filename": "foo-bar-1.0.win32.exe", "url": "x", "hashes": {}}"#,
        )
    });
    let (index, _) = World::new(&server).run();
    let project = index.project(&name("foo.bar")).unwrap();
    assert_eq!(server.paths(), ["/simple/foo-bar/"]);
    assert!(server.requests()[0].header("accept").unwrap().starts_with(JSON));
    let [wheel, sdist] = &project.files[..] else { panic!("{:?}", project.files) };
    assert_eq!(wheel.url, server.url("/f/Foo_Bar-1.0-py3-none-any.whl"));
    assert_eq!((wheel.size, wheel.yanked.as_deref()), (Some(5), Some("broken")));
    assert_eq!((wheel.metadata, wheel.kind.clone()), (Beside::Yes(None), FileKind::Wheel(0)));
    assert_eq!(wheel.sha256.map(|h| h.hex()), Some("0".repeat(64)));
    assert_eq!((sdist.url.as_str(), sdist.yanked.as_deref()), ("https://f.test/a%2Bb", None));
    let versions: Vec<String> =
        project.releases().iter().map(|r| format!("{} {}", r.version, r.is_yanked())).collect();
    assert_eq!(versions, ["1.1 false", "1.0 true"]);
}

#[test]
fn an_html_page_is_as_good() {
    let server = Server::start(|_| {
        Reply::ok(
            "<!DOCTYPE html><title>Links</title><a href=\"/f/foo-1.0.tar.gz#sha256=\
             1111111111111111111111111111111111111111111111111111111111111111\" data-requires-python=\"&gt;=3.8\">foo-1.0.tar.gz</a>\
             <a href=\"../../f/foo-1.0-py3-none-any.whl\" data-yanked=\"bad &amp; old\" data-core-metadata=\"true\">x</a>\
             <a href='/download?id=7'>foo-2.0.zip</a>",
        )
        .header("Content-Type", "text/html; charset=utf-8")
    });
    let (index, _) = World::new(&server).run();
    let project = index.project(&name("foo")).unwrap();
    let [sdist, wheel, odd] = &project.files[..] else { panic!("{:?}", project.files) };
    assert_eq!(
        (sdist.url.clone(), sdist.requires_python.as_deref()),
        (server.url("/f/foo-1.0.tar.gz"), Some(">=3.8"))
    );
    assert_eq!(sdist.sha256.map(|h| h.hex()), Some("1".repeat(64)));
    assert_eq!(wheel.url, server.url("/f/foo-1.0-py3-none-any.whl"));
    assert_eq!((wheel.yanked.as_deref(), wheel.metadata), (Some("bad & old"), Beside::Yes(None)));
    assert_eq!((odd.name.as_str(), odd.url.clone()), ("foo-2.0.zip", server.url("/download?id=7")));
}

#[test]
fn a_page_that_is_none_is_told() {
    let server = Server::start(|r| match r.path.as_str() {
        "/simple/a/" => Reply::ok("{").header("Content-Type", JSON),
        "/simple/b/" => json("").body(r#"{"meta": {"api-version": "2.0"}, "files": []}"#),
        _ => Reply::ok("x").header("Content-Type", "image/png"),
    });
    let (index, _) = World::new(&server).run();
    let tell = |n| {
        index.project(&name(n)).unwrap_err().into_error().to_string().replace(&server.url(""), "http://s")
    };
    assert!(
        tell("a").starts_with("failed to read the project page of `a`: `http://s/simple/a/`: EOF"),
        "{}",
        tell("a")
    );
    expect!["failed to read the project page of `b`: `http://s/simple/b/`: it speaks version 2.0 of the protocol, not 1"].assert_eq(&tell("b"));
    expect!["failed to read the project page of `c`: `http://s/simple/c/`: it is of type `image/png`, not a project page (PEP 503, PEP 691)"].assert_eq(&tell("c"));
}

#[test]
fn a_packed_page_is_unpacked_within_bounds() {
    let pack = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let page = pack(format!("{{\"files\": [{}]}}", plain(&["foo-1.0.zip"])).as_bytes());
    let bomb = pack(&vec![b' '; PAGE_LIMIT as usize + 10]);
    let server = Server::start(move |r| {
        let body = if r.path.contains("foo") { page.clone() } else { bomb.clone() };
        Reply::ok(body).header("Content-Type", "application/json").header("Content-Encoding", "gzip")
    });
    let (index, _) = World::new(&server).run();
    assert_eq!(index.project(&name("foo")).unwrap().files.len(), 1);
    let error = index.project(&name("bomb")).unwrap_err().into_error().to_string();
    assert!(error.ends_with("it is larger than 67108864 bytes"), "{error}");
}

#[test]
fn a_page_names_no_address_weaker_than_its_own() {
    let page = |from: &str, address: &str| {
        let body = format!("<a href='{address}/foo-1.0.zip'>x</a> <a href='./foo-2.0.zip'>y</a>");
        page::read(body.as_bytes(), "text/html", &Url::parse(from).unwrap()).map(|files| files.len())
    };
    for (from, address, files) in [
        ("https://h.test/s/foo/", "https://f.test", 2),
        ("https://h.test/s/foo/", "http://f.test", 1),
        ("https://h.test/s/foo/", "http://u:p@f.test", 1),
        ("https://h.test/s/foo/", "file:///etc", 1),
        ("https://h.test/s/foo/", "ftp://f.test", 1),
        ("http://h.test/s/foo/", "http://f.test", 2),
        ("http://h.test/s/foo/", "file:///etc", 1),
        ("file:///s/foo/", "file:///f", 2),
        ("file:///s/foo/", "https://f.test", 2),
    ] {
        assert_eq!(page(from, address), Ok(files), "{from} {address}");
    }
    let only = page::read(
        b"<base href='http://u:p@f.test/'><a href='foo-1.0.zip'>x</a>",
        "text/html",
        &Url::parse("https://h.test/s/foo/").unwrap(),
    );
    expect!["its files lie at addresses like `http://f.test/foo-1.0.zip`, which a page got by `https:` must not name"]
        .assert_eq(&only.unwrap_err());
}

#[test]
fn a_folder_of_pages_is_an_index() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("simple/foo")).unwrap();
    std::fs::write(dir.path().join("simple/foo/index.html"), "<a href='../../foo-1.0.zip'>x</a>").unwrap();
    std::fs::write(dir.path().join("foo-1.0.zip"), "zip").unwrap();
    let server = Server::start(|_| Reply::not_found());
    let mut world = World::new(&server);
    let url = Url::from_file_path(dir.path().join("simple")).unwrap().to_string();
    world.ambient = world.ambient.with_var("PIP_INDEX_URL", url);
    let (index, fetcher) = world.run();
    assert!(matches!(index.project(&name("bar")), Err(IndexError::NoProject { .. })));
    let spec = FetchSpec::new(What::Pypi(file("foo", "1.0", WantFile::Sdist)), None);
    assert!(matches!(fetcher.fetch(&spec, dir.path(), Watch::nobody()), Ok(Fetched::File(f)) if f.size == 3));
    assert!(server.requests().is_empty());
}
