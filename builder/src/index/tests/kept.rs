//! Pages that are kept, and when they are asked for again.

use super::*;
use crate::fetch::{FetchSpec, Watch, What};

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
