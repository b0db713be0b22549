//! Logins of an index, which no message shows.

use super::*;
use crate::fetch::{FetchSpec, Watch, What};

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
