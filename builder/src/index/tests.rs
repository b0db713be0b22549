//! The index against a server on the loopback.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::fetch::http::HttpOptions;
use crate::fetch::testserver::{Reply, Server};
use crate::fetch::{FetchSpec, Fetched, WantFile, Watch, What};

const JSON: &str = "application/vnd.pypi.simple.v1+json";

fn no_pause(_: Duration, _: &AtomicBool) {}

struct World {
    dir: tempfile::TempDir,
    ambient: Ambient,
    refresh: bool,
    offline: bool,
}

impl World {
    fn new(server: &Server) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ambient = Ambient::made_up(dir.path()).with_var("PIP_INDEX_URL", server.url("/simple"));
        Self { dir, ambient, refresh: false, offline: false }
    }

    /// A run of its own: nothing is kept but the folder of pages.
    fn run(&self) -> (Arc<Index>, Fetcher) {
        let mut config = Config::load(&self.ambient, &[], Carrier::default(), Memo::none()).unwrap();
        config.http = HttpOptions { pause: no_pause, offline: self.offline, ..config.http };
        let folder = self.dir.path().join("pages");
        Index::open(&self.ambient, config, Pages { folder, refresh: self.refresh, now: self.ambient.now })
    }

    fn later(mut self, seconds: u64) -> Self {
        let now = self.ambient.now + Duration::from_secs(seconds);
        self.ambient = self.ambient.with_now(now);
        self
    }
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn file(project: &str, version: &str, want: WantFile) -> PypiFile {
    PypiFile { project: name(project), version: version.parse().unwrap(), file: None, index: None, want }
}

fn json(files: &str) -> Reply {
    Reply::ok(format!("{{\"meta\": {{\"api-version\": \"1.1\"}}, \"name\": \"x\", \"files\": [{files}]}}"))
        .header("Content-Type", JSON)
}

/// Wire text of files with nothing but a name and an address.
fn plain(names: &[&str]) -> String {
    let one = |n: &&str| format!("{{\"filename\": \"{n}\", \"url\": \"../../files/{n}\", \"hashes\": {{}}}}");
    names.iter().map(one).collect::<Vec<_>>().join(",")
}

fn found(result: Result<ProjectFile, IndexError>) -> String {
    match result {
        Ok(file) => file.name,
        Err(error) => {
            let error = error.into_error();
            format!("{error}\n{}", error.hints.join("\n"))
        }
    }
}

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
fn a_validated_page_is_asked_for_each_run_but_sent_once() {
    for (validator, value, condition) in [
        ("ETag", "\"v1\"", "if-none-match"),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT", "if-modified-since"),
    ] {
        let server = Server::start(move |r| {
            let fresh = r.header(condition) == Some(value);
            let reply = if fresh { Reply::status(304) } else { json(&plain(&["foo-1.0.tar.gz"])) };
            reply.header(validator, value)
        });
        let world = World::new(&server);
        for _ in 0..2 {
            let (index, _) = world.run();
            assert_eq!(index.project(&name("foo")).unwrap().files.len(), 1);
            assert_eq!(
                index.project(&name("Foo")).unwrap().files[0].url,
                server.url("/files/foo-1.0.tar.gz")
            );
        }
        let asked: Vec<bool> = server.requests().iter().map(|r| r.header(condition).is_some()).collect();
        assert_eq!(asked, [false, true], "{validator}");
        let (index, _) = World { refresh: true, ..world }.run();
        index.project(&name("foo")).unwrap();
        let last = server.requests().pop().unwrap();
        assert_eq!((last.header(condition), last.header("cache-control")), (None, Some("no-cache")));
    }
}

#[test]
fn what_a_trusted_page_does_not_have_is_asked_for_once() {
    let files = std::sync::Arc::new(std::sync::Mutex::new(vec!["foo-1.0.tar.gz"]));
    let served = std::sync::Arc::clone(&files);
    let server = Server::start(move |_| json(&plain(&served.lock().unwrap())));
    let world = World::new(&server);
    world.run().0.project(&name("foo")).unwrap();
    files.lock().unwrap().push("foo-1.1.tar.gz");
    let (index, _) = world.run();
    let find = |version| index.find(&file("foo", version, WantFile::Sdist), None);
    assert_eq!(find("1.0").unwrap().name, "foo-1.0.tar.gz");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(find("1.1").unwrap().name, "foo-1.1.tar.gz");
    assert!(find("1.2").is_err());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_page_without_validator_is_trusted_for_ten_minutes() {
    let server = Server::start(|_| json(&plain(&["foo-1.0.tar.gz"])));
    let mut world = World::new(&server);
    for (seconds, requests) in [(0, 1), (599, 1), (1, 2), (10, 2)] {
        world = world.later(seconds);
        world.run().0.project(&name("foo")).unwrap();
        assert_eq!(server.requests().len(), requests, "after {seconds} more seconds");
    }
    world.refresh = true;
    world.run().0.project(&name("foo")).unwrap();
    assert_eq!(server.requests().len(), 3);
    world.refresh = false;
    world.offline = true;
    let world = world.later(1_000_000);
    let (index, fetcher) = world.run();
    assert_eq!(index.project(&name("foo")).unwrap().files.len(), 1, "offline takes what it has");
    assert!(matches!(index.project(&name("other")), Err(IndexError::Offline { .. })));
    let spec = FetchSpec::new(What::Pypi(file("foo", "1.0", WantFile::Sdist)), None);
    let dir = tempfile::tempdir().unwrap();
    assert!(
        matches!(fetcher.fetch(&spec, dir.path(), Watch::nobody()), Err(FetchError::Offline { what }) if what == "foo 1.0")
    );
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_page_is_not_asked_for_while_its_server_says_so() {
    let server = Server::start(|r| {
        let fresh = r.header("if-none-match").is_some();
        let reply = if fresh { Reply::status(304) } else { json(&plain(&["foo-1.0.tar.gz"])) };
        let never = r.path.contains("never");
        let control = if never { "no-cache" } else { "max-age=600, public" };
        let reply = reply.header("Cache-Control", control);
        if never { reply } else { reply.header("ETag", "\"1\"").header("Age", "100") }
    });
    let mut world = World::new(&server);
    for (seconds, requests) in [(0, 1), (499, 1), (1, 2), (499, 2), (1, 3)] {
        world = world.later(seconds);
        world.run().0.project(&name("foo")).unwrap();
        assert_eq!(server.requests().len(), requests, "after {seconds} more seconds");
    }
    for requests in [4, 5] {
        world.run().0.project(&name("never")).unwrap();
        assert_eq!(server.requests().len(), requests);
    }
}

#[test]
fn many_who_want_a_page_share_one_request() {
    let server = Server::start(|_| json(&plain(&["foo-1.0.tar.gz"])));
    let (index, _) = World::new(&server).run();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(index.project(&name("foo")).unwrap().files.len(), 1));
        }
    });
    assert_eq!(server.requests().len(), 1);
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
fn what_the_index_lacks_is_explained() {
    let server = Server::start(|r| match r.path.as_str() {
        "/simple/foo/" => {
            let old =
                ["foo-0.1.tar.gz", "foo-0.2.tar.gz", "foo-0.3.tar.gz", "foo-0.4.tar.gz", "foo-0.5.tar.gz"];
            let new = ["foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-3.0-py3-none-any.whl", "foo-4.0rc1.tar.gz"];
            json(&plain(&[&old[..], &new[..]].concat()))
        }
        "/simple/empty/" => json(""),
        _ => Reply::not_found(),
    });
    let (index, _) = World::new(&server).run();
    let tell = |project: &str, version: &str, want: WantFile| {
        found(index.find(&file(project, version, want), None)).replace(&server.url(""), "http://s")
    };
    expect![[r#"
        no project `bar` on the index
        looked in http://s/simple/ (from PIP_INDEX_URL)"#]]
    .assert_eq(&tell("bar", "1", WantFile::Sdist));
    expect![[r#"
        `foo` has no version 0.2.5 on the index
        the nearest versions are 1.0, 0.5, 0.4, 0.3, 0.2, 0.1
        the newest is 3.0"#]]
    .assert_eq(&tell("foo", "0.2.5", WantFile::Sdist));
    expect![[r#"
        `foo` 3.0 has no sdist on the index
        there is `foo-3.0-py3-none-any.whl`
        build it from git, or take the wheel with `format = "wheel"`"#]]
    .assert_eq(&tell("foo", "3.0", WantFile::Sdist));
    expect![[r#"
        `foo` 3.0 has no wheel for this interpreter and platform on the index
        there is `foo-3.0-py3-none-any.whl`
        build it from its sdist"#]]
    .assert_eq(&tell("foo", "3.0", WantFile::Wheel(vec!["cp312-cp312-linux_x86_64".into()])));
    expect![[r#"
        `empty` has no version 1 on the index
        there is not one sdist or wheel at http://s/simple/empty/"#]]
    .assert_eq(&tell("empty", "1", WantFile::Sdist));
    let odd = PypiFile { file: Some("foo-1.tgz".into()), ..file("foo", "1.0", WantFile::Sdist) };
    expect![[r#"
        `foo` has no file `foo-1.tgz` on the index
        1.0 has `foo-1.0.tar.gz`
        looked in http://s/simple/foo/"#]]
    .assert_eq(&found(index.find(&odd, None)).replace(&server.url(""), "http://s"));
}

#[test]
fn the_file_that_is_meant_is_found() {
    let server = Server::start(|_| {
        let hashed = format!(
            "{{\"filename\": \"Foo-1.0.zip\", \"url\": \"/z\", \"hashes\": {{\"sha256\": \"{}\"}}}}",
            "2".repeat(64)
        );
        let names = [
            "foo-1.0.tar.bz2",
            "Foo-1.0.tar.gz",
            "foo-1.0-py3-none-any.whl",
            "foo-1.0-1-py3-none-any.whl",
            "foo-1.0-10-py3-none-any.whl",
            "foo-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ];
        json(&format!("{hashed},{}", plain(&names)))
    });
    let (index, _) = World::new(&server).run();
    let find = |want, hash: Option<&str>| {
        let hash = hash.map(|h| h.parse().unwrap());
        found(index.find(&file("foo", "1.0.0", want), hash.as_ref()))
    };
    let tags = |t: &[&str]| WantFile::Wheel(t.iter().map(|t| (*t).to_owned()).collect());
    assert_eq!(find(WantFile::Sdist, None), "Foo-1.0.tar.gz");
    assert_eq!(find(WantFile::Sdist, Some(&"2".repeat(64))), "Foo-1.0.zip");
    assert_eq!(find(WantFile::Sdist, Some(&"3".repeat(64))), "Foo-1.0.tar.gz");
    assert_eq!(find(tags(&["py3-none-any"]), None), "foo-1.0-10-py3-none-any.whl");
    let best = find(tags(&["cp312-cp312-manylinux2014_x86_64", "py3-none-any"]), None);
    assert!(best.contains("cp312"), "{best}");
    let exact = PypiFile { file: Some("foo-1.0.tar.bz2".into()), ..file("foo", "1.0", WantFile::Sdist) };
    assert_eq!(found(index.find(&exact, None)), "foo-1.0.tar.bz2");
}

#[test]
fn a_spec_becomes_a_verified_file_with_a_note_when_yanked() {
    let server = Server::start(|r| match r.path.as_str() {
        "/simple/foo/" => json(
            "{\"filename\": \"Foo-1.0.tar.gz\", \"url\": \"/f/Foo-1.0.tar.gz\", \"hashes\": {}, \"yanked\": \"bad\"}",
        ),
        _ => Reply::ok("bytes"),
    });
    let (_, fetcher) = World::new(&server).run();
    let hash = Sha256(crate::key::Digest::of(b"bytes").0);
    let dir = tempfile::tempdir().unwrap();
    let spec = FetchSpec::new(What::Pypi(file("foo", "1.0", WantFile::Sdist)), Some(hash));
    match fetcher.fetch(&spec, dir.path(), Watch::nobody()).unwrap() {
        Fetched::File(file) => {
            assert_eq!((file.name.as_str(), file.sha256), ("Foo-1.0.tar.gz", hash));
            assert_eq!(file.notes, ["`Foo-1.0.tar.gz` is yanked: bad"]);
        }
        Fetched::Checkout(_) => panic!("a file was fetched"),
    }
    assert_eq!(server.paths(), ["/simple/foo/", "/f/Foo-1.0.tar.gz"]);
}

#[test]
fn the_next_index_is_asked_where_one_has_not_the_version() {
    let first = Server::start(|r| match r.path.as_str() {
        "/simple/foo/" => json(&plain(&["foo-1.0.tar.gz"])),
        _ => Reply::not_found(),
    });
    let second = Server::start(|_| json(&plain(&["foo-2.0.tar.gz"])));
    let mut world = World::new(&second);
    world.ambient = world.ambient.with_var("PIP_EXTRA_INDEX_URL", first.url("/simple"));
    let (index, _) = world.run();
    let find = |version| index.find(&file("foo", version, WantFile::Sdist), None).unwrap().url;
    assert_eq!(find("1.0"), first.url("/files/foo-1.0.tar.gz"));
    assert_eq!(find("2.0"), second.url("/files/foo-2.0.tar.gz"));
    assert_eq!(index.project(&name("foo")).unwrap().files.len(), 1, "the first index that has it");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
}

/// A page with one file of a known hash.
fn hashed(file: &str, digit: &str) -> Reply {
    json(&format!(
        "{{\"filename\": \"{file}\", \"url\": \"/{file}\", \"hashes\": {{\"sha256\": \"{}\"}}}}",
        digit.repeat(64)
    ))
}

#[test]
fn the_promised_hash_chooses_between_indexes() {
    let first = Server::start(|_| hashed("foo-1.0.tar.gz", "1"));
    let second = Server::start(|_| hashed("foo-1.0.zip", "2"));
    let mut world = World::new(&second);
    world.ambient = world.ambient.with_var("PIP_EXTRA_INDEX_URL", first.url("/simple"));
    let (index, _) = world.run();
    let find = |promised: Option<&str>| {
        let hash = promised.map(|digit| digit.repeat(64).parse().unwrap());
        found(index.find(&file("foo", "1.0", WantFile::Sdist), hash.as_ref()))
    };
    assert_eq!(find(Some("2")), "foo-1.0.zip");
    assert_eq!(find(Some("1")), "foo-1.0.tar.gz");
    assert_eq!(find(None), "foo-1.0.tar.gz");
    assert_eq!(find(Some("3")), "foo-1.0.tar.gz", "nothing better came: the first is told");
}

#[test]
fn an_index_that_fails_is_passed_over_and_noted() {
    let bad = Server::start(|_| Reply::status(403));
    let good = Server::start(|r| match r.path.as_str() {
        "/simple/foo/" => hashed("foo-1.0.tar.gz", "1"),
        _ => Reply::not_found(),
    });
    let mut world = World::new(&good);
    world.ambient = world.ambient.with_var("PIP_EXTRA_INDEX_URL", bad.url("/simple"));
    let (index, _) = world.run();
    let wanted = file("foo", "1.0", WantFile::Sdist);
    let right = "1".repeat(64).parse().unwrap();
    let located = index.locator()(&wanted, Some(&right)).unwrap();
    assert_eq!(located.name, "foo-1.0.tar.gz");
    let note = located.notes.join("\n").replace(&bad.url(""), "http://bad");
    expect!["an index was passed over: failed to read the project page of `foo`: failed to get `http://bad/simple/foo/`: the server answered 403 (Forbidden)"]
        .assert_eq(&note);
    assert_eq!(index.project(&name("foo")).unwrap().files.len(), 1);
    // Who has it not says nothing of who failed, and another file is not taken instead.
    let other = "2".repeat(64).parse().unwrap();
    for error in [
        index.find(&wanted, Some(&other)).unwrap_err(),
        index.find(&file("foo", "2.0", WantFile::Sdist), None).unwrap_err(),
        index.project(&name("bar")).unwrap_err(),
    ] {
        assert!(found(Err(error)).contains("403"));
    }
}

#[test]
fn a_stopped_run_waits_for_no_index() {
    let stop: Arc<AtomicBool> = Arc::default();
    let seen = Arc::clone(&stop);
    let server = Server::start(move |r| {
        if r.path.contains("foo") {
            seen.store(true, Ordering::SeqCst);
        }
        match r.path.as_str() {
            "/simple/bar/" => json(&plain(&["bar-1.0-foo-py3-none-any.whl", "bar-1.0-py3-none-any.whl"])),
            _ => Reply::status(429).header("Retry-After", "60"),
        }
    });
    let world = World::new(&server);
    let mut config = Config::load(&world.ambient, &[], Carrier::default(), Memo::none()).unwrap();
    config.http.stop = Arc::clone(&stop);
    let folder = world.dir.path().join("pages");
    let (index, _) =
        Index::open(&world.ambient, config, Pages { folder, refresh: false, now: world.ambient.now });
    assert!(matches!(index.project(&name("foo")), Err(IndexError::Stopped)));
    assert_eq!(server.requests().len(), 1);
    stop.store(false, Ordering::SeqCst);
    let mut wheel = index.project(&name("bar")).unwrap().files[0].clone();
    wheel.url = server.url("/foo.whl");
    assert!(matches!(index.metadata(&wheel), Err(IndexError::Stopped)));
    assert_eq!(server.requests().len(), 3);
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
fn a_login_in_a_recipes_index_reaches_its_files_and_no_message() {
    let server = Server::start(|r| match r.path.as_str() {
        "/own/foo/" => json(&plain(&["foo-1.0.tar.gz"])),
        _ => Reply::status(403),
    });
    let (_, fetcher) = World::new(&server).run();
    let own = server.url("/own").replace("http://", "http://me:hunter2@");
    let pypi = PypiFile { index: Some(own), ..file("foo", "1.0", WantFile::Sdist) };
    let dir = tempfile::tempdir().unwrap();
    let failed = fetcher.fetch(&FetchSpec::new(What::Pypi(pypi), None), dir.path(), Watch::nobody());
    let failed = failed.unwrap_err().into_error();
    assert!(failed.to_string().contains("403") && !format!("{failed:?}").contains("hunter2"), "{failed:?}");
    assert!(server.requests().iter().all(|r| r.header("authorization") == Some("Basic bWU6aHVudGVyMg==")));
    let kept = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(kept, 0);
}

#[test]
fn a_password_comes_from_the_keyring_where_the_user_says_so() {
    let server = Server::start(|r| match r.header("authorization") {
        Some("Basic bWU6aHVudGVyMg==") => json(&plain(&["foo-1.0.tar.gz", "bar-1.0.tar.gz"])),
        _ => Reply::status(401),
    });
    let base = World::new(&server);
    let dir = base.dir.path().to_owned();
    let own = server.url("/simple").replace("http://", "http://me@");
    let script = format!("echo \"$*\" >> {}/asked; echo hunter2", dir.display());
    let ambient = crate::fetch::keyring::tests::with_keyring(base.ambient.clone(), &dir, &script);
    let ambient = ambient.with_var("PIP_INDEX_URL", own);
    let asked = || std::fs::read_to_string(dir.join("asked")).unwrap_or_default();
    let world = |name: &str, value: &str| World {
        dir: tempfile::tempdir().unwrap(),
        ambient: ambient.clone().with_var(name, value),
        refresh: false,
        offline: false,
    };
    for (name, value) in [("PIP_KEYRING_PROVIDER", "disabled"), ("UV_KEYRING_PROVIDER", "auto"), ("A", "b")] {
        let error = world(name, value).run().0.project(&self::name("foo")).unwrap_err();
        assert!(found(Err(error)).contains("401"));
    }
    assert_eq!(asked(), "", "nobody said that it may be asked");
    for name in ["PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"] {
        std::fs::remove_file(dir.join("asked")).unwrap_or_default();
        let (index, _) = world(name, "subprocess").run();
        let before = server.requests().len();
        for project in ["foo", "bar"] {
            assert_eq!(index.project(&self::name(project)).unwrap().files.len(), 1);
        }
        assert_eq!(server.requests().len() - before, 3, "refused once, then the password is known");
        assert_eq!(asked(), format!("get {} me\n", server.url("/simple/")));
        assert!(!format!("{index:?}", index = index.http.options()).contains("hunter2"));
    }
}

#[test]
fn a_keyring_without_the_password_changes_nothing() {
    let server = Server::start(|_| Reply::status(401));
    let base = World::new(&server);
    let dir = base.dir.path().to_owned();
    let ambient = crate::fetch::keyring::tests::with_keyring(base.ambient.clone(), &dir, "echo no; exit 1");
    let own = server.url("/simple").replace("http://", "http://me@");
    let ambient = ambient.with_var("PIP_INDEX_URL", own).with_var("PIP_KEYRING_PROVIDER", "subprocess");
    let (index, _) = World { ambient, ..base }.run();
    assert!(found(Err(index.project(&name("foo")).unwrap_err())).contains("401"));
    assert_eq!(server.requests().len(), 1);
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

#[test]
fn pages_beyond_the_bound_are_read_again_where_they_are_kept() {
    let server = Server::start(|request| {
        let name = request.path.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        let files = ["1.0", "1.1"].map(|version| format!("{name}-{version}.tar.gz"));
        json(&plain(&files.each_ref().map(String::as_str))).header("ETag", "\"1\"")
    });
    let world = World::new(&server);
    let (index, _) = world.run();
    let mut index = Arc::into_inner(index).expect("the fetcher is gone");
    index.most_files = 3;
    let get = |project: &str| index.project(&name(project)).unwrap();
    let first = get("foo");
    assert!(Arc::ptr_eq(&first, &get("foo")));
    get("bar");
    assert_eq!(index.held.lock().unwrap().order.len(), 1);
    let again = get("foo");
    assert!(!Arc::ptr_eq(&first, &again));
    assert_eq!(first.files, again.files);
    assert_eq!(server.paths(), ["/simple/foo/", "/simple/bar/"], "the server has vouched for both");
}
