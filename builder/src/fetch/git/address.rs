//! Addresses of repositories: only kinds that start no foreign helper.
//!
//! Knows git's spellings. Must never know how git is run.

use reqwest::Url;

use crate::error::{Error, Result};
use crate::fetch::auth::{Login, shown, shown_text};

/// An address that is safe to give to git as an argument.
#[derive(Clone, Debug)]
pub(super) struct Address {
    text: String,
    /// The parsed form, but for `user@host:path`.
    pub url: Option<Url>,
    /// The login that stood in the address.
    pub login: Option<Login>,
}

impl Address {
    /// Refuses every transport but https, http, ssh, git and file.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::input(format!("cannot fetch from the repository `{}`: {why}", shown_text(text))))
        };
        // `ext::command` and its like start a helper; `[::1]` does not.
        let helper = text.split_once("::").is_some_and(|(before, _)| !before.contains(['/', '[']));
        if text.starts_with('-') || helper || text.chars().any(char::is_control) {
            return refuse("git would not take it for an address");
        }
        if is_scp_like(text) {
            return Ok(Self { text: text.to_owned(), url: None, login: None });
        }
        let Ok(mut url) = Url::parse(text) else {
            return refuse("it is not an address; a folder is written `file:///path`");
        };
        let login = match url.scheme() {
            "https" | "http" => Login::take_from(&mut url),
            // The user of an ssh address is no secret, a password is not used.
            "ssh" | "git" | "file" => {
                let _ = url.set_password(None);
                None
            }
            other => return refuse(&format!("`{other}:` is not one of https, http, ssh, git and file")),
        };
        if url.scheme() == "file" {
            if url.host_str().is_some_and(|h| h != "localhost") || url.to_file_path().is_err() {
                return refuse("a file address names no host: write `file:///path`");
            }
        } else if url.host_str().is_none_or(|h| h.is_empty() || h.starts_with('-')) {
            return refuse("it names no host");
        }
        Ok(Self { text: url.to_string(), url: Some(url), login })
    }

    /// As git takes it, without a login for http.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it may be shown.
    pub fn shown(&self) -> String {
        self.url.as_ref().map_or_else(|| self.text.clone(), shown)
    }

    /// Whether the repository lies on this machine.
    pub fn is_local(&self) -> bool {
        self.url.as_ref().is_some_and(|u| u.scheme() == "file")
    }
}

/// `git@host:path`.
fn is_scp_like(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let plain = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let path_is_safe = !path.is_empty() && !path.starts_with("//") && !path.starts_with('-');
    plain(user) && plain(host) && !host.starts_with('-') && path_is_safe
}

/// A submodule's address: `./x` and `../x` start from the repository's own.
pub(super) fn relative(base: &Address, url: &str) -> Result<String> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Ok(url.to_owned());
    }
    let mut left = base.as_str().trim_end_matches('/').to_owned();
    let mut rest = url;
    loop {
        if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else if let Some(next) = rest.strip_prefix("../") {
            rest = next;
            let cut = left.rfind('/').or_else(|| left.rfind(':').filter(|_| base.url.is_none()));
            match cut {
                // Never above the host.
                Some(at) if !left[..at].ends_with('/') || base.is_local() => left.truncate(at),
                _ => {
                    let doing = format!("the address `{}` leaves the repository's host", shown_text(url));
                    return Err(Error::input(doing));
                }
            }
        } else {
            break;
        }
    }
    // `host:a` with its path taken away is `host`, and wants its colon back.
    let joint = if base.url.is_none() && !left.contains(':') { ':' } else { '/' };
    Ok(format!("{left}{joint}{}", rest.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_transports_are_refused() {
        for bad in [
            "ext::sh -c true",
            "-oProxyCommand=x",
            "--upload-pack=x",
            "ftp://h.test/x",
            "file://host.test/x",
            "/srv/repo",
            "ssh://-oProxyCommand=x/y",
            "git@-oProxyCommand=x:y",
            "fd::7",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        for good in ["https://h.test/x.git", "ssh://git@h.test/x", "git@h.test:a/b.git", "https://[::1]/x"] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_login_is_no_argument() {
        let address = Address::parse("https://me:pw@h.test/x").unwrap();
        assert_eq!(address.as_str(), "https://h.test/x");
        assert!(address.login.is_some());
        let error = Address::parse("gopher://me:pw@h.test/x").unwrap_err();
        assert!(!error.to_string().contains("pw"), "{error}");
    }

    #[test]
    fn relative_submodules_follow_git() {
        let of = |base: &str, url: &str| relative(&Address::parse(base).unwrap(), url).map_err(drop);
        assert_eq!(of("https://h.test/a/b.git", "../c.git").unwrap(), "https://h.test/a/c.git");
        assert_eq!(of("https://h.test/a/b", "../../x/c").unwrap(), "https://h.test/x/c");
        assert_eq!(of("git@h.test:a/b", "../c").unwrap(), "git@h.test:a/c");
        assert_eq!(of("git@h.test:b", "../c").unwrap(), "git@h.test:c");
        assert_eq!(of("file:///srv/b", "./c").unwrap(), "file:///srv/b/c");
        assert_eq!(of("https://h.test/a", "https://o.test/c").unwrap(), "https://o.test/c");
        assert!(of("https://h.test/a", "../../../c").is_err());
    }
}
