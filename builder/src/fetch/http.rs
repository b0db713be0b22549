//! One HTTP request after another: redirects, logins, retries.
//!
//! Knows status codes and connections. Must never know files, hashes or the
//! package index.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{StatusCode, Url};

use super::auth::{Login, Logins, Secret, shown};
use super::client::{self, Certs, OwnCerts, Trust};
use super::httpdate;
use super::keyring::Keyring;
use crate::error::{Error, Result};

const REDIRECTS: usize = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How requests are made.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Which certificates are believed.
    pub trust: Trust,
    /// A PEM file with a key and a certificate to show to servers.
    pub client_cert: Option<PathBuf>,
    /// What holds for single origins instead of the two above.
    pub own_certs: Vec<OwnCerts>,
    /// Proxy for `http:` addresses; may hold a password.
    pub http_proxy: Option<Secret>,
    /// Proxy for `https:` addresses; may hold a password.
    pub https_proxy: Option<Secret>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// Who we are to whom.
    pub logins: Logins,
    /// Asked for the password of a user whose address holds none.
    pub keyring: Option<Keyring>,
    /// Connections at once.
    pub connections: usize,
    /// Tries of one address, at least 1.
    pub attempts: u32,
    /// Longest wait for a connection, an answer or the next bytes.
    pub timeout: Duration,
    /// How to wait between tries; ends early when the flag is set.
    pub pause: fn(Duration, &AtomicBool),
    /// No request is made at all.
    pub offline: bool,
    /// Set when the run is to end: nothing is tried again or waited for.
    pub stop: Arc<AtomicBool>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            trust: Trust::System,
            client_cert: None,
            own_certs: Vec::new(),
            http_proxy: None,
            https_proxy: None,
            no_proxy: None,
            logins: Logins::default(),
            keyring: None,
            connections: 16,
            attempts: 5,
            timeout: Duration::from_secs(30),
            pause,
            offline: false,
            stop: Arc::default(),
        }
    }
}

impl HttpOptions {
    /// What is believed and shown at `url`.
    pub fn certs_for(&self, url: &Url) -> Certs<'_> {
        match self.own_certs.iter().find(|own| own.at.origin() == url.origin()) {
            Some(own) => Certs {
                trust: own.trust.as_ref().unwrap_or(&self.trust),
                client_cert: own.client_cert.as_ref().or(self.client_cert.as_ref()),
            },
            None => Certs { trust: &self.trust, client_cert: self.client_cert.as_ref() },
        }
    }
}

/// What a failed request means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may work if tried again, not before this much time.
    Again(Option<Duration>),
    /// The server said no with this status.
    Status(u16),
    /// Trying again is of no use.
    Final,
    /// No request was made: this run is offline.
    Offline,
    /// The run was stopped.
    Stopped,
}

/// A request that failed, and what that means.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The sentence.
    pub error: Error,
    /// The meaning.
    pub verdict: Verdict,
}

impl Failure {
    /// A failure that trying again may mend.
    pub fn again(error: Error) -> Self {
        Self { error, verdict: Verdict::Again(None) }
    }

    /// A failure for good.
    pub fn last(error: Error) -> Self {
        Self { error, verdict: Verdict::Final }
    }

    /// The run was stopped.
    pub fn stopped() -> Self {
        Self { error: Error::environment("stopped"), verdict: Verdict::Stopped }
    }
}

/// An answer whose body is not read yet. Holds one of the connections.
pub struct Answer<'a> {
    /// Status, headers and body.
    pub response: Response,
    /// The address that answered, after redirects.
    pub url: Url,
    _slot: Slot<'a>,
}

impl Answer<'_> {
    /// A header, when it is there and readable.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.response.headers().get(name).and_then(|v| v.to_str().ok())
    }
}

/// A whole small answer.
#[derive(Debug)]
pub struct Page {
    /// 200, 206 or 304.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed.
    pub body: Vec<u8>,
    /// The address that answered, after redirects.
    pub url: Url,
}

/// The way to all servers. Shared by all threads.
pub struct Http {
    options: HttpOptions,
    /// Logins that were met on the way.
    learned: RwLock<Logins>,
    /// What the keyring said of an address and a user; each is asked about once.
    unlocked: Mutex<Vec<(Url, Login, Option<Login>)>>,
    plain: OnceLock<Result<Client>>,
    secure: OnceLock<Result<Client>>,
    /// One for each of `own_certs`.
    own: Vec<OnceLock<Result<Client>>>,
    slots: Slots,
    requests: AtomicUsize,
}

impl Http {
    /// Nothing is read or connected before the first request: certificates
    /// are read at the first `https:` one.
    pub fn new(options: HttpOptions) -> Self {
        let slots = Slots { free: Mutex::new(options.connections.max(1)), freed: Condvar::new() };
        Self {
            learned: RwLock::default(),
            requests: AtomicUsize::new(0),
            unlocked: Mutex::default(),
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            own: options.own_certs.iter().map(|_| OnceLock::new()).collect(),
            slots,
            options,
        }
    }

    /// How requests are made.
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// How many requests were sent so far: tries, redirects and parts of files
    /// are one each.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Uses a login for the origin of `url` from now on.
    pub fn learn(&self, url: &Url, login: Login) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if learned.of(url) != Some(&login) {
            learned.add(url, login);
        }
    }

    fn login_for(&self, url: &Url) -> Option<Login> {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        learned.of(url).or_else(|| self.options.logins.of(url)).cloned()
    }

    /// The login with its password out of the keyring, when the server did not
    /// take the one it was sent: a user's alone.
    fn unlock(&self, url: &Url, sent: Option<&Login>) -> Option<Login> {
        let keyring = self.options.keyring.as_ref()?;
        let sent = sent.filter(|login| login.password.reveal().is_empty())?;
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        let known = learned.nearest(url).or_else(|| self.options.logins.nearest(url));
        let at = known.map_or_else(|| url.clone(), |(at, _)| at.clone());
        drop(learned);
        // Held while the keyring is asked: whoever comes second waits for its answer.
        let mut unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, answer)) = unlocked.iter().find(|(u, l, _)| *u == at && l == sent) {
            return answer.clone();
        }
        let answer = keyring.login(&at, sent.user.reveal(), &self.options.stop);
        unlocked.push((at, sent.clone(), answer.clone()));
        answer
    }

    /// What the keyring has said of a login before.
    fn unlocked(&self, url: &Url, login: Login) -> Login {
        let unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        let same = unlocked.iter().find(|(at, l, _)| at.origin() == url.origin() && *l == login);
        same.and_then(|(_, _, answer)| answer.clone()).unwrap_or(login)
    }

    /// One try of one address, redirects followed. A login is sent only to the
    /// origin it belongs to, decided anew at each redirect.
    pub fn get(&self, url: &Url, headers: &[(HeaderName, String)]) -> Result<Answer<'_>, Failure> {
        if self.options.offline {
            let error =
                Error::environment(format!("`{}` was not asked for: this run is offline", shown(url)));
            return Err(Failure { error, verdict: Verdict::Offline });
        }
        let slot = self.slots.take();
        let mut url = url.clone();
        // An address may carry its own login; it goes with this origin only.
        let mut own = Logins::default();
        if let Some(login) = Login::take_from(&mut url) {
            own.add(&url, login);
        }
        let mut asked = false;
        for _ in 0..=REDIRECTS {
            let client = self.client(&url).map_err(Failure::last)?;
            let mut request = client.get(url.clone());
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let login = own.of(&url).cloned().or_else(|| self.login_for(&url));
            let sent = login.clone().map(|login| self.unlocked(&url, login));
            if let Some(login) = &sent {
                request = request.header(AUTHORIZATION, login.header());
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let response = request.send().map_err(|e| request_failure(&url, e))?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED
                && !std::mem::replace(&mut asked, true)
                && self.unlock(&url, sent.as_ref()).is_some()
            {
                continue;
            }
            if status == StatusCode::NOT_MODIFIED || !status.is_redirection() {
                return answered(Answer { response, url, _slot: slot });
            }
            url = redirected(&url, &response)?;
        }
        let doing = format!("failed to get `{}`: more than {REDIRECTS} redirects", shown(&url));
        Err(Failure::last(Error::environment(doing)))
    }

    /// A whole answer of at most `limit` bytes, tried again where that helps.
    pub fn page(&self, url: &Url, headers: &[(HeaderName, String)], limit: u64) -> Result<Page, Failure> {
        let mut headers = headers.to_vec();
        headers.push((ACCEPT_ENCODING, "gzip".into()));
        self.retry(&self.options.stop, || {
            let mut answer = self.get(url, &headers)?;
            let packed = answer.header(CONTENT_ENCODING).is_some_and(|e| e.eq_ignore_ascii_case("gzip"));
            let mut body = Vec::new();
            let read = if packed {
                flate2::read::MultiGzDecoder::new(&mut answer.response).take(limit + 1).read_to_end(&mut body)
            } else {
                (&mut answer.response).take(limit + 1).read_to_end(&mut body)
            };
            let doing = || format!("failed to read the answer of `{}`", shown(&answer.url));
            read.map_err(|e| Failure::again(Error::environment(doing()).because(io_text(&e))))?;
            if body.len() as u64 > limit {
                return Err(Failure::last(
                    Error::environment(doing()).because(format!("it is larger than {limit} bytes")),
                ));
            }
            let (status, headers) = (answer.response.status(), answer.response.headers().clone());
            Ok(Page { status, headers, body, url: answer.url })
        })
    }

    /// Tries until it works, fails for good, or the tries are used up.
    pub fn retry<T>(
        &self,
        stop: &AtomicBool,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut tried = 0;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Failure::stopped());
            }
            match attempt() {
                Err(Failure { mut error, verdict: Verdict::Again(wait) }) => {
                    tried += 1;
                    if tried >= self.options.attempts {
                        if tried > 1 {
                            error.causes.push(format!("gave up after {tried} tries"));
                        }
                        return Err(Failure::last(error));
                    }
                    self.pause(tried, wait, stop);
                }
                other => return other,
            }
        }
    }

    /// Waits before try number `tried` + 1: what the server asked for (a
    /// minute at most), else twice as long each time with some chance in it,
    /// so that many clients do not come back at once.
    pub fn pause(&self, tried: u32, asked: Option<Duration>, stop: &AtomicBool) {
        let doubled = Duration::from_millis(250u64 << tried.saturating_sub(1).min(5));
        let wait = asked.map_or_else(|| doubled.mul_f64(0.5 + 0.5 * chance()), |a| a.min(LONGEST_PAUSE));
        (self.options.pause)(wait, stop);
    }

    fn client(&self, url: &Url) -> Result<&Client> {
        let own = self.options.own_certs.iter().position(|own| own.at.origin() == url.origin());
        let (cell, secure) = match (url.scheme(), own) {
            ("https", Some(own)) => (&self.own[own], true),
            ("https", None) => (&self.secure, true),
            ("http", _) => (&self.plain, false),
            (other, _) => {
                return Err(Error::input(format!("cannot fetch from an address of kind `{other}:`")));
            }
        };
        let build = || client::build(&self.options, secure.then(|| self.options.certs_for(url)));
        cell.get_or_init(build).as_ref().map_err(Clone::clone)
    }
}

/// Waits, looking at the flag ten times a second.
fn pause(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while !stop.load(Ordering::Relaxed) {
        match until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(Duration::from_millis(100))),
            _ => return,
        }
    }
}

fn request_failure(url: &Url, e: reqwest::Error) -> Failure {
    let e = e.without_url();
    let mut error = Error::environment(format!("failed to get `{}`", shown(url)));
    let why = chain(&e);
    if why.contains("certificate") || why.contains("Certificate") {
        error = error.because(why).hint(
            "if your network has its own certificates, set SSL_CERT_FILE (or PIP_CERT) to their bundle",
        );
        return Failure::last(error);
    }
    if e.is_builder() {
        return Failure::last(error.because(why));
    }
    Failure::again(error.because(why))
}

/// The error and what caused it, each part once, without addresses.
pub(super) fn chain(e: &dyn std::error::Error) -> String {
    let (mut out, mut next) = (e.to_string(), e.source());
    while let Some(cause) = next {
        let text = cause.to_string();
        if !out.contains(&text) {
            out = format!("{out}: {text}");
        }
        next = cause.source();
    }
    out
}

/// The text of a failed read of a body.
pub(super) fn io_text(e: &std::io::Error) -> String {
    e.get_ref().map_or_else(|| e.to_string(), |inner| chain(inner))
}

fn answered(answer: Answer<'_>) -> Result<Answer<'_>, Failure> {
    let status = answer.response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(answer);
    }
    let said = match status.canonical_reason() {
        Some(reason) => format!("the server answered {} ({reason})", status.as_u16()),
        None => format!("the server answered {}", status.as_u16()),
    };
    let mut error = Error::environment(format!("failed to get `{}`", shown(&answer.url))).because(said);
    let verdict = match status.as_u16() {
        code @ (401 | 403 | 407) => {
            if let Some(host) = answer.url.host_str() {
                error =
                    error.hint(format!("put a login for `{host}` into ~/.netrc or into the index address"));
            }
            Verdict::Status(code)
        }
        408 | 425 | 429 | 500 | 502..=504 | 506..=599 => {
            Verdict::Again(httpdate::retry_after(answer.response.headers()))
        }
        code => Verdict::Status(code),
    };
    Err(Failure { error, verdict })
}

fn redirected(from: &Url, response: &Response) -> Result<Url, Failure> {
    let refuse = |why: String| {
        Failure::last(Error::environment(format!("failed to get `{}`", shown(from))).because(why))
    };
    let target = response.headers().get(LOCATION).map(HeaderValue::as_bytes);
    let text = target.and_then(|t| std::str::from_utf8(t).ok());
    let mut to = text
        .and_then(|t| from.join(t).ok())
        .ok_or_else(|| refuse("it redirects without saying where to".into()))?;
    // A login in a redirect is the server's word, not the user's.
    let _ = Login::take_from(&mut to);
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        ("https", "http") => Err(refuse(format!("it redirects to `{}`, which is not encrypted", shown(&to)))),
        (_, other) => Err(refuse(format!("it redirects to an address of kind `{other}:`"))),
    }
}

/// A number in 0..1 that differs from call to call.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// Bounds the connections of all threads.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Slot<'a>(&'a Slots);

impl Slots {
    fn take(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |n| *n == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
