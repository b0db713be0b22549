//! Logins: kept apart from addresses, sent to their own host only, never shown.
//!
//! Knows userinfo in addresses, netrc and how an address is shown. Must never
//! know where configuration files lie.

use std::fmt;

use base64::Engine as _;
use reqwest::Url;
use reqwest::header::HeaderValue;

/// Text that is in no log, error, key or `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A user and a password. The user may be a token, so both are secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name, or a token.
    pub user: Secret,
    /// The password, often empty beside a token.
    pub password: Secret,
}

impl Login {
    /// Of a user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Secret::new(user), password: Secret::new(password) }
    }

    /// The value of an `Authorization` header (RFC 7617).
    pub fn header(&self) -> HeaderValue {
        let pair = format!("{}:{}", self.user.reveal(), self.password.reveal());
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut value = HeaderValue::from_str(&text).expect("base64 is a valid header value");
        value.set_sensitive(true);
        value
    }

    /// Takes user and password out of an address; `None` when it has neither.
    pub fn take_from(url: &mut Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let login = Self::new(percent_decode(url.username()), percent_decode(url.password().unwrap_or("")));
        // Both fail only for addresses that cannot have a userinfo at all.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Some(login)
    }
}

/// Who we are to whom.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    origins: Vec<(Url, Login)>,
    netrc: Vec<(Option<String>, Login)>,
}

impl Logins {
    /// Adds a login for addresses of the same scheme, host and port as `url`.
    /// Of several the one with the longest common path is used.
    pub fn add(&mut self, url: &Url, login: Login) {
        self.origins.push((url.clone(), login));
    }

    /// The added login that is meant for `url`, and the address it came with.
    pub fn nearest(&self, url: &Url) -> Option<(&Url, &Login)> {
        let same = self.origins.iter().filter(|(known, _)| known.origin() == url.origin());
        // `max_by_key` takes the last of equals; the first added shall win.
        let nearest = same.rev().max_by_key(|(known, _)| common_path(known.path(), url.path()));
        nearest.map(|(known, login)| (known, login))
    }

    /// Adds what a netrc file says.
    pub fn add_netrc(&mut self, text: &str) {
        self.netrc.extend(netrc(text));
    }

    /// The login for a request to `url`, if there is one.
    pub fn of(&self, url: &Url) -> Option<&Login> {
        if let Some((_, login)) = self.nearest(url) {
            return Some(login);
        }
        let host = url.host_str()?;
        let named = self.netrc.iter().find(|(name, _)| name.as_deref() == Some(host));
        named.or_else(|| self.netrc.iter().find(|(name, _)| name.is_none())).map(|(_, login)| login)
    }
}

fn common_path(a: &str, b: &str) -> usize {
    a.split('/').zip(b.split('/')).take_while(|(x, y)| x == y).count()
}

/// Reads `machine`, `default`, `login`, `password`; skips `account` and `macdef`.
fn netrc(text: &str) -> Vec<(Option<String>, Login)> {
    let words = netrc_words(text);
    let mut words = words.iter().map(String::as_str);
    let (mut out, mut user, mut password) = (Vec::new(), String::new(), None::<String>);
    let mut machine: Option<Option<String>> = None;
    let mut close =
        |machine: &mut Option<Option<String>>, user: &mut String, password: &mut Option<String>| {
            if let (Some(name), Some(pass)) = (machine.take(), password.take()) {
                out.push((name, Login::new(std::mem::take(user), pass)));
            }
            user.clear();
        };
    while let Some(word) = words.next() {
        match word {
            "machine" => {
                close(&mut machine, &mut user, &mut password);
                machine = words.next().map(|name| Some(name.to_owned()));
            }
            "default" => {
                close(&mut machine, &mut user, &mut password);
                machine = Some(None);
            }
            "login" | "user" => user = words.next().unwrap_or("").to_owned(),
            "password" => password = words.next().map(str::to_owned),
            "account" => drop(words.next()),
            _ => {}
        }
    }
    close(&mut machine, &mut user, &mut password);
    out
}

/// Words of a netrc: comments and macro bodies left out, `"quoted words"` whole.
fn netrc_words(text: &str) -> Vec<String> {
    let (mut words, mut in_macro) = (Vec::new(), false);
    for line in text.lines() {
        if line.trim().is_empty() {
            in_macro = false;
        }
        if in_macro {
            continue;
        }
        let mut rest = line.trim_start();
        // A `#` opens a comment only where a keyword may stand; passwords may begin with one.
        while !rest.is_empty() {
            if rest.starts_with('#') && !expects_value(&words) {
                break;
            }
            let word;
            (word, rest) = netrc_word(rest);
            if word == "macdef" && !expects_value(&words) {
                in_macro = true;
                break;
            }
            words.push(word);
        }
    }
    words
}

fn expects_value(words: &[String]) -> bool {
    matches!(words.last().map(String::as_str), Some("machine" | "login" | "user" | "password" | "account"))
}

fn netrc_word(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (text[..end].to_owned(), text[end..].trim_start());
    };
    let (mut word, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (word, quoted[at + 1..].trim_start()),
            '\\' => word.extend(chars.next().map(|(_, c)| c)),
            c => word.push(c),
        }
    }
    (word, "")
}

/// An address as it may be shown: no user, no password, no query, no fragment.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.query().is_some() {
        url.set_query(Some("…"));
        return url.as_str().replace("%E2%80%A6", "…");
    }
    url.into()
}

/// [`shown`] for text that may not be an address at all.
pub fn shown_text(text: &str) -> String {
    if let Ok(url) = Url::parse(text)
        && (url.has_host() || url.scheme() == "file")
    {
        return shown(&url);
    }
    let Some(at) = text.rfind('@') else { return text.to_owned() };
    let (before, after) = (&text[..at], &text[at + 1..]);
    match before.split_once("//") {
        // What stands before the slashes is a scheme at most, never a password.
        Some((scheme, _)) if !scheme.trim_end_matches(':').contains(':') => format!("{scheme}//{after}"),
        None if !before.contains(':') => text.to_owned(),
        _ => after.to_owned(),
    }
}

/// An address for a file that others read: like [`shown`], but whole enough to
/// be used. The user of an ssh address is no secret.
pub fn public(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return shown_text(text) };
    if !url.has_host() {
        return shown_text(text);
    }
    let _ = url.set_password(None);
    if url.scheme() != "ssh" {
        let _ = url.set_username("");
    }
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// `%2B` -> `+`. What is not valid stays as it is.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut i) = (Vec::with_capacity(bytes.len()), 0);
    while i < bytes.len() {
        let pair = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match pair.and_then(|p| u8::from_str_radix(p, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn pair(login: Option<&Login>) -> Option<(&str, &str)> {
        login.map(|l| (l.user.reveal(), l.password.reveal()))
    }

    #[test]
    fn netrc_is_read_as_curl_and_python_do() {
        let mut logins = Logins::default();
        logins.add_netrc(
            "# a comment\nmachine a.test login u password #p\nmacdef init\nmachine evil.test login x password y\n\n\
             machine b.test\n  login \"a b\"\n  account z\n  password \"q\\\"r\" # more\ndefault login d password e\n",
        );
        assert_eq!(pair(logins.of(&url("https://a.test/x"))), Some(("u", "#p")));
        assert_eq!(pair(logins.of(&url("https://b.test:8443/"))), Some(("a b", "q\"r")));
        assert_eq!(pair(logins.of(&url("https://evil.test/"))), Some(("d", "e")));
    }

    #[test]
    fn a_login_stays_with_its_origin() {
        let mut logins = Logins::default();
        let mut address = url("https://me:p%40ss@a.test/simple");
        let login = Login::take_from(&mut address).unwrap();
        assert_eq!(address.as_str(), "https://a.test/simple");
        logins.add(&address, login);
        logins.add(&url("https://a.test/other/"), Login::new("o", ""));
        assert_eq!(pair(logins.of(&url("https://a.test/simple/x"))), Some(("me", "p@ss")));
        assert_eq!(pair(logins.of(&url("https://a.test/other/x"))), Some(("o", "")));
        assert_eq!(pair(logins.of(&url("http://a.test/simple/x"))), None);
        assert_eq!(pair(logins.of(&url("https://b.test/simple/x"))), None);
        assert_eq!(Login::take_from(&mut url("https://a.test/")), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let login = Login::new("tok", "hunter2");
        assert_eq!(format!("{login:?}"), "Login { user: (secret), password: (secret) }");
        assert!(format!("{:?}", login.header()).contains("Sensitive"));
        assert_eq!(shown(&url("https://u:p@a.test/x?sig=abc#f")), "https://a.test/x?…");
        assert_eq!(shown_text("htp//u:p@a.test/x"), "htp//a.test/x");
        assert_eq!(shown_text("git@a.test:x"), "git@a.test:x");
        assert_eq!(shown_text("user:hunter2@a.test/simple"), "a.test/simple");
        assert_eq!(shown_text("user:hun//ter2@a.test/simple"), "a.test/simple");
        assert_eq!(shown_text("https://token@a.test/simple"), "https://a.test/simple");
        assert_eq!(shown_text("ht tps://token@a.test/simple"), "ht tps://a.test/simple");
        assert_eq!(public("https://token@a.test/x.zip?sig=abc#f"), "https://a.test/x.zip");
        assert_eq!(public("ssh://git:hunter2@a.test/x"), "ssh://git@a.test/x");
        assert_eq!(public("git@a.test:x"), "git@a.test:x");
        assert_eq!(public("file:///srv/x.zip"), "file:///srv/x.zip");
    }

    #[test]
    fn percents_are_decoded_where_they_are_valid() {
        assert_eq!(percent_decode("a%2Bb%zz%4"), "a+b%zz%4");
        assert_eq!(percent_decode("%ff"), "%ff");
    }
}
