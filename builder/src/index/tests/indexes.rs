//! Which index is asked, and which of its files is taken.

use std::sync::atomic::Ordering;

use expect_test::expect;

use super::*;
use crate::fetch::{FetchSpec, Fetched, Watch, What};

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
