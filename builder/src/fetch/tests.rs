//! The fetcher against a server on the loopback and repositories on disk.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use expect_test::expect;

use super::auth::{Login, Logins};
use super::client::{OwnCerts, Trust};
use super::http::HttpOptions;
use super::testserver::{Reply, Request, Server};
use super::*;

fn no_pause(_: Duration, _: &AtomicBool) {}

pub(super) fn options() -> HttpOptions {
    HttpOptions { pause: no_pause, timeout: Duration::from_secs(20), ..HttpOptions::default() }
}

pub(super) fn fetcher(options: HttpOptions) -> Fetcher {
    let git = GitOptions::of(&crate::ambient::Ambient::look().unwrap());
    let none: Box<Locate> = Box::new(|_, _| Err(FetchError::Failed(Error::input("no index here"))));
    Fetcher::new(Arc::new(Http::new(options)), git, none)
}

fn sha(bytes: &[u8]) -> Sha256 {
    Sha256(crate::key::Digest::of(bytes).0)
}

fn urls(urls: &[String], expected: Option<Sha256>) -> FetchSpec {
    FetchSpec::new(What::Url { urls: urls.to_vec() }, expected)
}

fn file(fetched: Fetched) -> FetchedFile {
    match fetched {
        Fetched::File(file) => file,
        Fetched::Checkout(_) => panic!("a file was fetched"),
    }
}

/// Fetches with default options; the file's bytes and facts.
fn fetch(spec: &FetchSpec) -> Result<(Vec<u8>, FetchedFile), FetchError> {
    let dir = tempfile::tempdir().unwrap();
    let got = file(fetcher(options()).fetch(spec, dir.path(), Watch::nobody())?);
    Ok((std::fs::read(&got.path).unwrap(), got))
}

fn error(result: Result<(Vec<u8>, FetchedFile), FetchError>) -> String {
    result.unwrap_err().into_error().to_string()
}

/// Bytes that do not repeat, so that a wrongly joined file has another hash.
fn many(n: usize) -> Vec<u8> {
    (0..n as u64).flat_map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).take(n).collect()
}

#[test]
fn a_file_comes_with_its_hash_and_name() {
    let server = Server::start(|_| Reply::ok("hello"));
    let (bytes, got) = fetch(&urls(&[server.url("/a/b%2B1.tar.gz?sig=secret")], None)).unwrap();
    assert_eq!(bytes, b"hello");
    assert_eq!((got.sha256, got.size, got.name.as_str()), (sha(b"hello"), 5, "b+1.tar.gz"));
    assert_eq!(got.from, server.url("/a/b%2B1.tar.gz?…"));
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn a_wrong_hash_is_a_value() {
    let server = Server::start(|_| Reply::ok("other"));
    match fetch(&urls(&[server.url("/x.tar.gz")], Some(sha(b"promised")))) {
        Err(FetchError::Mismatch(m)) => {
            assert_eq!((m.specified, m.got.sha256), (sha(b"promised"), sha(b"other")));
            assert_eq!(m.got.from, server.url("/x.tar.gz"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cut_download_is_resumed_with_its_validator() {
    let body = many(300_000);
    let whole = body.clone();
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let reply = Reply::ok(whole.clone()).header("ETag", "\"one\"").ranged(request);
        if tries.fetch_add(1, Ordering::SeqCst) < 2 { reply.cut_after(100_000) } else { reply }
    });
    let (bytes, got) = fetch(&urls(&[server.url("/x")], None)).unwrap();
    assert_eq!((got.size, bytes == body), (300_000, true));
    let ranges: Vec<Option<String>> =
        server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[0], None);
    assert!(ranges[1..].iter().all(|r| r.as_ref().is_some_and(|r| r != "bytes=0-")), "{ranges:?}");
    assert_eq!(server.requests()[1].header("if-range"), Some("\"one\""));
}

#[test]
fn a_file_that_changed_between_pieces_is_fetched_anew() {
    let body = many(200_000);
    let (old, new) = (vec![b'x'; 200_000], body.clone());
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::ok(old.clone()).cut_after(150_000),
        // No validator: the pieces are put together and found wrong.
        _ => Reply::ok(new.clone()).ranged(request),
    });
    let (bytes, _) = fetch(&urls(&[server.url("/x")], Some(sha(&body)))).unwrap();
    assert!(bytes == body);
    let last = server.requests().pop().unwrap();
    assert_eq!((server.requests().len(), last.header("range")), (3, None));
}

#[test]
fn a_later_run_goes_on_where_one_was_broken_off() {
    let body = many(3 << 20);
    let whole = body.clone();
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let reply = Reply::ok(whole.clone()).ranged(request);
        if tries.fetch_add(1, Ordering::SeqCst) == 0 { reply.cut_after(2 << 20) } else { reply }
    });
    let dir = tempfile::tempdir().unwrap();
    let shelf = dir.path().join("partial");
    let kept = || std::fs::read_dir(&shelf).into_iter().flatten().count();
    let into = tempfile::tempdir().unwrap();
    // As if each were a run: with a fetcher of its own.
    let right = Some(sha(&body));
    let run = |attempts| {
        let fetcher = fetcher(HttpOptions { attempts, ..options() }).resuming(shelf.clone());
        let fetched = fetcher.fetch(&urls(&[server.url("/x")], right), into.path(), Watch::nobody());
        fetched.map(|fetched| std::fs::read(&file(fetched).path).unwrap() == body)
    };
    let ranges = || -> Vec<Option<String>> {
        server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect()
    };
    assert!(run(1).is_err());
    assert_eq!((kept(), std::fs::read_dir(into.path()).unwrap().count()), (1, 0));
    assert!(run(2).unwrap());
    assert_eq!((kept(), ranges()), (0, vec![None, Some(format!("bytes={}-", 2 << 20))]));
    // A beginning that does not fit costs its bytes, and nothing else.
    std::fs::write(shelf.join(sha(&body).hex()), vec![b'x'; 1 << 20]).unwrap();
    assert!(run(2).unwrap());
    assert_eq!(ranges()[2..], [Some(format!("bytes={}-", 1 << 20)), None]);
    // Nor does one that is longer than the file.
    std::fs::write(shelf.join(sha(&body).hex()), vec![b'x'; 4 << 20]).unwrap();
    assert!(run(2).unwrap());
    assert_eq!(kept(), 0);
}

#[test]
fn without_hash_and_validator_nothing_is_resumed() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let reply = Reply::ok(many(5000)).ranged(request);
        if tries.fetch_add(1, Ordering::SeqCst) == 0 { reply.cut_after(1000) } else { reply }
    });
    let (bytes, _) = fetch(&urls(&[server.url("/x")], None)).unwrap();
    assert!(bytes == many(5000));
    assert!(server.requests().iter().all(|r| r.header("range").is_none()));
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    static PAUSES: Mutex<Vec<Duration>> = Mutex::new(Vec::new());
    fn pause(time: Duration, _: &AtomicBool) {
        PAUSES.lock().unwrap_or_else(PoisonError::into_inner).push(time);
    }
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(503),
        1 => Reply::status(429).header("Retry-After", "7"),
        2 => Reply::status(500).header("Retry-After", "100000"),
        _ => Reply::ok("at last"),
    });
    let dir = tempfile::tempdir().unwrap();
    let fetcher = fetcher(HttpOptions { pause, ..options() });
    let got = file(
        fetcher
            .fetch(&urls(&[server.url("/x")], Some(sha(b"at last"))), dir.path(), Watch::nobody())
            .unwrap(),
    );
    assert_eq!(got.size, 7);
    let pauses = PAUSES.lock().unwrap().clone();
    assert!(pauses[0] >= Duration::from_millis(125) && pauses[0] <= Duration::from_millis(250), "{pauses:?}");
    assert_eq!(pauses[1..], [Duration::from_secs(7), Duration::from_secs(60)]);
}

#[test]
fn a_server_that_stays_broken_is_given_up() {
    let server = Server::start(|_| Reply::status(502));
    let text = error(fetch(&urls(&[server.url("/x.zip")], None))).replace(&server.url(""), "http://server");
    expect!["failed to fetch `x.zip`: failed to get `http://server/x.zip`: the server answered 502 (Bad Gateway): gave up after 5 tries"]
        .assert_eq(&text);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_missing_file_is_asked_for_once() {
    let server = Server::start(|_| Reply::not_found());
    let text = error(fetch(&urls(&[server.url("/x.zip")], None))).replace(&server.url(""), "http://server");
    expect![
        "failed to fetch `x.zip`: failed to get `http://server/x.zip`: the server answered 404 (Not Found)"
    ]
    .assert_eq(&text);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_truncated_download_is_told() {
    // The server closes early each time and knows no ranges.
    let server = Server::start(|_| Reply::ok(many(1000)).claim(2000));
    let text =
        error(fetch(&urls(&[server.url("/x")], Some(sha(b"x"))))).replace(&server.url(""), "http://server");
    assert!(text.contains("the download was cut short after 1000 of 2000 bytes"), "{text}");
    assert!(text.ends_with("gave up after 5 tries"), "{text}");
}

#[test]
fn a_length_that_lies_low_gives_a_mismatch_and_high_limits_hold() {
    let server = Server::start(|_| Reply::ok("0123456789").claim(4));
    let low = fetch(&urls(&[server.url("/x")], Some(sha(b"0123456789"))));
    assert!(matches!(low, Err(FetchError::Mismatch(m)) if m.got.sha256 == sha(b"0123")));
    let claims = Server::start(|_| Reply::ok("x").claim(1 << 40));
    let text = error(fetch(&urls(&[claims.url("/x")], None)));
    assert!(text.contains("bytes, and 8589934592 are allowed"), "{text}");
    assert_eq!(claims.requests().len(), 1);
    let endless = Server::start(|_| Reply::ok(many(70_000)).without_length());
    let mut spec = urls(&[endless.url("/x")], None);
    spec.limit = 1000;
    assert!(error(fetch(&spec)).contains("and 1000 are allowed"));
}

#[test]
fn the_third_mirror_saves_the_day_and_the_others_are_noted() {
    let (gone, wrong) = (Server::start(|_| Reply::not_found()), Server::start(|_| Reply::ok("wrong")));
    let good = Server::start(|_| Reply::ok("good"));
    let all = [gone.url("/x.zip"), wrong.url("/x.zip"), good.url("/x.zip")];
    let (bytes, got) = fetch(&urls(&all, Some(sha(b"good")))).unwrap();
    assert_eq!((bytes.as_slice(), got.from.as_str(), got.notes.len()), (&b"good"[..], all[2].as_str(), 2));
    let all = [gone.url("/a.zip"), gone.url("/b.zip")];
    let text = error(fetch(&urls(&all, Some(sha(b"good"))))).replace(&gone.url(""), "http://server");
    expect!["failed to fetch `a.zip` from any of 2 addresses: failed to get `http://server/a.zip`: the server answered 404 (Not Found): failed to get `http://server/b.zip`: the server answered 404 (Not Found)"].assert_eq(&text);
    // With no right one, the wrong hash is what matters.
    let all = [gone.url("/x.zip"), wrong.url("/x.zip")];
    assert!(matches!(fetch(&urls(&all, Some(sha(b"good")))), Err(FetchError::Mismatch(_))));
}

#[test]
fn a_redirect_to_another_host_gets_no_login() {
    let other = Server::start(|_| Reply::ok("x"));
    let to = other.url("/file");
    let server = Server::start(move |r: &Request| match r.path.as_str() {
        "/near" => Reply::redirect("/far"),
        _ => Reply::redirect(to.clone()),
    });
    let mut options = options();
    options.logins.add(&Url::parse(&server.url("/")).unwrap(), Login::new("me", "hunter2"));
    let dir = tempfile::tempdir().unwrap();
    fetcher(options).fetch(&urls(&[server.url("/near")], None), dir.path(), Watch::nobody()).unwrap();
    let sent: Vec<Option<String>> =
        server.requests().iter().map(|r| r.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, vec![Some("Basic bWU6aHVudGVyMg==".to_owned()); 2]);
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[test]
fn logins_in_addresses_and_netrc_are_used_and_never_shown() {
    let server = Server::start(|_| Reply::status(401));
    let address = server.url("/x").replace("http://", "http://tok:hunter2@");
    let failed = fetch(&urls(&[address], None)).unwrap_err().into_error();
    assert!(!format!("{failed} {failed:?}").contains("hunter2"), "{failed:?}");
    assert_eq!(failed.hints, ["put a login for `127.0.0.1` into ~/.netrc or into the index address"]);
    assert_eq!(server.requests()[0].header("authorization"), Some("Basic dG9rOmh1bnRlcjI="));

    let mut options = options();
    let mut logins = Logins::default();
    logins.add_netrc("machine 127.0.0.1 login a password b");
    options.logins = logins;
    let dir = tempfile::tempdir().unwrap();
    drop(fetcher(options).fetch(&urls(&[server.url("/x")], None), dir.path(), Watch::nobody()));
    assert_eq!(server.requests()[1].header("authorization"), Some("Basic YTpi"));
}

#[test]
fn redirects_end() {
    let server = Server::start(|_| Reply::redirect("/again"));
    let text = error(fetch(&urls(&[server.url("/x")], None)));
    assert!(text.contains("more than 10 redirects"), "{text}");
    let odd = Server::start(|_| Reply::redirect("file:///etc/passwd"));
    let text = error(fetch(&urls(&[odd.url("/x")], None)));
    assert!(text.contains("redirects to an address of kind `file:`"), "{text}");
}

#[test]
fn https_without_certificates_says_what_to_install() {
    let dir = tempfile::tempdir().unwrap();
    let trust = |path: PathBuf| Trust::Bundle { path, from: "SSL_CERT_FILE".into() };
    let server = Server::start(|_| Reply::ok("plain http needs none"));
    let options = HttpOptions { trust: trust("/no/such/bundle.pem".into()), ..options() };
    let fetcher = fetcher(options.clone());
    assert!(fetcher.fetch(&urls(&[server.url("/x")], None), dir.path(), Watch::nobody()).is_ok());
    let spec = urls(&["https://127.0.0.1:1/x.zip".into()], None);
    let failed = fetcher.fetch(&spec, dir.path(), Watch::nobody()).unwrap_err().into_error();
    assert_eq!(failed.kind, Kind::Environment);
    expect!["failed to fetch `x.zip`: failed to read the CA bundle `/no/such/bundle.pem` that SSL_CERT_FILE names: No such file or directory (os error 2)"]
        .assert_eq(&failed.to_string());
    assert_eq!(failed.hints, ["correct SSL_CERT_FILE, or install `ca-certificates` and unset it"]);
    // An origin of its own has its own.
    let at = Url::parse("https://127.0.0.1:1/simple/").unwrap();
    let own = OwnCerts {
        at,
        trust: Some(Trust::Bundle { path: "/no/own.pem".into(), from: "`cert` of `[index.corp]`".into() }),
        client_cert: None,
    };
    let special = HttpOptions { own_certs: vec![own], ..options.clone() };
    let told = |port: u16| {
        let spec = urls(&[format!("https://127.0.0.1:{port}/x.zip")], None);
        let failed = self::fetcher(special.clone()).fetch(&spec, dir.path(), Watch::nobody());
        failed.unwrap_err().into_error().to_string()
    };
    assert!(told(1).contains("CA bundle `/no/own.pem` that `cert` of `[index.corp]` names"), "{}", told(1));
    assert!(told(2).contains("CA bundle `/no/such/bundle.pem` that SSL_CERT_FILE names"), "{}", told(2));
    std::fs::write(dir.path().join("empty.pem"), "").unwrap();
    let empty = HttpOptions { trust: trust(dir.path().join("empty.pem")), ..options };
    let failed = self::fetcher(empty).fetch(&spec, dir.path(), Watch::nobody()).unwrap_err().into_error();
    assert!(failed.to_string().ends_with("there is no certificate in it"), "{failed}");
}

#[test]
fn offline_asks_nobody() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempfile::tempdir().unwrap();
    let fetcher = fetcher(HttpOptions { offline: true, ..options() });
    match fetcher.fetch(&urls(&[server.url("/x.zip")], None), dir.path(), Watch::nobody()) {
        Err(FetchError::Offline { what }) => assert_eq!(what, server.url("/x.zip")),
        other => panic!("{other:?}"),
    }
    assert!(server.requests().is_empty());
    // A file of this machine needs no network.
    let path = dir.path().join("a b.txt");
    std::fs::write(&path, "local").unwrap();
    let url = Url::from_file_path(&path).unwrap().to_string();
    let got = file(fetcher.fetch(&urls(&[url], Some(sha(b"local"))), dir.path(), Watch::nobody()).unwrap());
    assert_eq!(got.name, "a b.txt");
}

#[test]
fn odd_addresses_are_usage_errors() {
    for (url, why) in [
        ("ftp://h.test/x", "`ftp:` is not one of"),
        ("x.tar.gz", "relative URL without a base"),
        ("file://h.test/x", "names no host"),
    ] {
        let failed = fetch(&urls(&[url.into()], None)).unwrap_err().into_error();
        assert_eq!(failed.kind, Kind::Input);
        assert!(failed.to_string().contains(why), "{failed}");
    }
}

#[test]
fn a_stopped_run_stops_and_progress_is_told() {
    let server = Server::start(|_| Reply::ok(many(400_000)));
    let dir = tempfile::tempdir().unwrap();
    let (stop, seen) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let bytes = |done, total| {
        seen.lock().unwrap().push((done, total));
        stop.store(true, Ordering::SeqCst);
    };
    let watch = Watch { bytes: &bytes, stop: &stop };
    let result = fetcher(options()).fetch(&urls(&[server.url("/x")], None), dir.path(), watch);
    assert!(matches!(result, Err(FetchError::Stopped)));
    let seen = seen.into_inner().unwrap();
    assert_eq!((seen.len(), seen[0].1), (1, Some(400_000)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn many_threads_share_few_connections() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (n, m) = (Arc::clone(&now), Arc::clone(&most));
    let server = Server::start(move |_| {
        m.fetch_max(n.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        n.fetch_sub(1, Ordering::SeqCst);
        Reply::ok("x")
    });
    let dir = tempfile::tempdir().unwrap();
    let fetcher = fetcher(HttpOptions { connections: 2, ..options() });
    std::thread::scope(|scope| {
        for i in 0..12 {
            let (fetcher, server, dir) = (&fetcher, &server, dir.path());
            scope.spawn(move || {
                fetcher.fetch(&urls(&[server.url(&format!("/{i}"))], None), dir, Watch::nobody()).unwrap()
            });
        }
    });
    assert_eq!(server.requests().len(), 12);
    assert!(most.load(Ordering::SeqCst) <= 2);
}
