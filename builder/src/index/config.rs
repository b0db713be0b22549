//! Which indexes there are, and how to reach them: from where users keep that.
//!
//! Knows the order of DESIGN: `[index.NAME]` of the workspace, pip's and uv's
//! variables, pip's files, uv's files, at last what the interpreter's pip
//! carries. Must never know project pages.

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Url;

use super::carried::{self, Carrier, Memo};
use super::settings::{Pip, Said, UvIndex, read, uv_indexes};
use crate::ambient::Ambient;
use crate::error::{Error, Result};
use crate::fetch::auth::{Login, Logins, Secret, shown, shown_text};
use crate::fetch::client::{OwnCerts, Trust};
use crate::fetch::http::HttpOptions;
use crate::fetch::keyring::Keyring;

/// An index: the address of its simple pages, without a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Ends in `/`.
    pub url: Url,
    /// Who says so, for messages.
    pub from: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (from {})", shown(&self.url), self.from)
    }
}

/// An `[index.NAME]` of `wheelwright.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// NAME.
    pub name: String,
    /// Its address; may hold a login.
    pub url: String,
    /// Used where no index is named. The name `default` says so too.
    pub default: bool,
    /// The CA bundle that is believed there.
    pub cert: Option<PathBuf>,
    /// The key and certificate that are shown there.
    pub client_cert: Option<PathBuf>,
}

impl Named {
    /// What holds for the index' host instead of the general certificates.
    fn certs(&self, at: &Url) -> Option<OwnCerts> {
        let trust = self
            .cert
            .clone()
            .map(|path| Trust::Bundle { path, from: format!("`cert` of `[index.{}]`", self.name) });
        let own = OwnCerts { at: at.clone(), trust, client_cert: self.client_cert.clone() };
        (own.trust.is_some() || own.client_cert.is_some()).then_some(own)
    }
}

/// Everything known of indexes. Reads only files at [`Config::load`], no index.
pub struct Config {
    /// How to make requests: certificates, proxies, logins.
    pub http: HttpOptions,
    named: Vec<(String, Address)>,
    /// Asked in this order before the default.
    extra: Vec<Address>,
    default: Option<Address>,
    carrier: Carrier,
    memo: Memo,
    carried: OnceLock<Option<Address>>,
}

impl Config {
    /// Reads the environment and the configuration files.
    pub fn load(ambient: &Ambient, workspace: &[Named], carrier: Carrier, memo: Memo) -> Result<Self> {
        let pip = Pip::load(ambient, carrier.prefix.as_deref())?;
        let uv = uv_indexes(ambient)?;
        let mut http = http_options(ambient, &pip)?;
        let mut reader = Reader { ambient, logins: Logins::default() };
        let mut named = Vec::new();
        let mut default = None;
        for index in workspace {
            let from = format!("`[index.{}]` in wheelwright.toml", index.name);
            let address = reader.address(&index.url, &from, Some(&index.name))?;
            http.own_certs.extend(index.certs(&address.url));
            if index.default || index.name == "default" {
                default.get_or_insert_with(|| address.clone());
            }
            named.push((index.name.clone(), address));
        }
        for index in &uv {
            if let Some(name) = &index.name {
                let address = reader.address(&index.url.value, &index.url.from, Some(name))?;
                named.push((name.clone(), address));
            }
        }
        // A workspace that says which index it means is not changed by the machine it is on.
        let extra = if default.is_some() { Vec::new() } else { reader.extras(&pip, &uv)? };
        if default.is_none() {
            default = reader.default(&pip, &uv)?;
        }
        http.logins = reader.logins;
        let netrc = ambient.path_var("NETRC").map(|p| vec![p]).unwrap_or_else(|| {
            ambient.home.iter().flat_map(|h| [h.join(".netrc"), h.join("_netrc")]).collect()
        });
        for file in netrc {
            if let Some(text) = read(&file)? {
                http.logins.add_netrc(&text);
            }
        }
        Ok(Self { http, named, extra, default, carrier, memo, carried: OnceLock::new() })
    }

    /// Where to look, in order, and the login an address of a recipe holds.
    /// `index` is a name from `[index.NAME]`, an address, or nothing.
    pub fn addresses(&self, index: Option<&str>) -> Result<(Vec<Address>, Option<Login>)> {
        let Some(index) = index else {
            let mut all = self.extra.clone();
            let default = self.default.clone().or_else(|| self.carried());
            all.extend(default);
            all.dedup_by(|a, b| a.url == b.url);
            if all.is_empty() {
                return Err(Error::environment("no package index is configured").hint(
                    "set PIP_INDEX_URL, write `[index.default]` with a `url` into wheelwright.toml, \
                     or install pip for the interpreter",
                ));
            }
            return Ok((all, None));
        };
        if let Some((_, address)) = self.named.iter().find(|(name, _)| name == index) {
            return Ok((vec![address.clone()], None));
        }
        if !index.contains("://") {
            let names: Vec<&str> = self.named.iter().map(|(n, _)| n.as_str()).collect();
            let mut error = Error::input(format!("there is no index `{index}`"));
            if let Some(near) = recipes::diag::did_you_mean(index, names.iter().copied()) {
                error = error.hint(format!("did you mean `{near}`?"));
            }
            return Err(error.hint(format!("write `[index.{index}]` with a `url` into wheelwright.toml")));
        }
        let (url, login) = parse(index, "the recipe's `index`")?;
        Ok((vec![Address { url, from: "the recipe's `index`".into() }], login))
    }

    /// The default that the interpreter's pip carries; looked for once, and
    /// only when nothing else is said.
    fn carried(&self) -> Option<Address> {
        let find = || {
            let (url, path) = carried::find(&self.carrier, &self.memo)?;
            Some(Address { url, from: format!("the default of pip in `{}`", path.display()) })
        };
        self.carried.get_or_init(find).clone()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("named", &self.named)
            .field("extra", &self.extra)
            .field("default", &self.default)
            .finish_non_exhaustive()
    }
}

/// Turns texts into addresses and keeps their logins.
struct Reader<'a> {
    ambient: &'a Ambient,
    logins: Logins,
}

impl Reader<'_> {
    fn address(&mut self, text: &str, from: &str, name: Option<&str>) -> Result<Address> {
        let (url, mut login) = parse(text, from)?;
        if let Some(name) = name {
            // uv's way to keep a login out of the address.
            let key: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect();
            let var = |what: &str| self.ambient.var(&format!("UV_INDEX_{key}_{what}"));
            if let (None, Some(user)) = (&login, var("USERNAME").or(var("PASSWORD").map(|_| ""))) {
                login = Some(Login::new(user, var("PASSWORD").unwrap_or("")));
            }
        }
        if let Some(login) = login {
            self.logins.add(&url, login);
        }
        Ok(Address { url, from: from.to_owned() })
    }

    fn said(&mut self, said: &Said) -> Result<Address> {
        self.address(&said.value, &said.from, None)
    }

    /// Several addresses in one value, separated by white space; uv's may be `name=address`.
    fn list(&mut self, said: Option<Said>, out: &mut Vec<Address>) -> Result<()> {
        let Some(said) = said else { return Ok(()) };
        for word in said.value.split_whitespace() {
            let address = match word.split_once('=') {
                Some((name, url)) if !name.contains(['/', ':']) => {
                    self.address(url, &said.from, Some(name))?
                }
                _ => self.address(word, &said.from, None)?,
            };
            out.push(address);
        }
        Ok(())
    }

    fn extras(&mut self, pip: &Pip, uv: &[UvIndex]) -> Result<Vec<Address>> {
        let mut out = Vec::new();
        for name in ["UV_INDEX", "UV_EXTRA_INDEX_URL"] {
            self.list(variable(self.ambient, name), &mut out)?;
        }
        self.list(pip.get(self.ambient, "extra-index-url"), &mut out)?;
        for index in uv.iter().filter(|i| !i.default && !i.explicit) {
            out.push(self.address(&index.url.value, &index.url.from, index.name.as_deref())?);
        }
        Ok(out)
    }

    fn default(&mut self, pip: &Pip, uv: &[UvIndex]) -> Result<Option<Address>> {
        let variables = ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"];
        let said = variables
            .iter()
            .find_map(|name| variable(self.ambient, name))
            .or_else(|| pip.in_files("index-url"))
            .filter(|s| !s.value.trim().is_empty());
        if let Some(said) = said {
            let mut all = Vec::new();
            self.list(Some(said), &mut all)?;
            return Ok(all.into_iter().next());
        }
        let default = uv.iter().find(|i| i.default);
        default.map(|index| self.said(&index.url)).transpose()
    }
}

fn variable(ambient: &Ambient, name: &str) -> Option<Said> {
    ambient.var(name).map(|value| Said { value: value.to_owned(), from: name.to_owned() })
}

fn parse(text: &str, from: &str) -> Result<(Url, Option<Login>)> {
    let text = text.trim();
    let refuse = |why: &str| {
        Error::input(format!("cannot use the index `{}` (from {from})", shown_text(text))).because(why)
    };
    let mut url = Url::parse(text).map_err(|e| refuse(&e.to_string()))?;
    if !matches!(url.scheme(), "https" | "http" | "file") {
        return Err(refuse("its address begins with none of `https:`, `http:` and `file:`"));
    }
    let login = Login::take_from(&mut url);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok((url, login))
}

fn http_options(ambient: &Ambient, pip: &Pip) -> Result<HttpOptions> {
    let mut http = HttpOptions::default();
    let bundle = pip.get(ambient, "cert").or_else(|| {
        ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"]
            .iter()
            .find_map(|n| variable(ambient, n))
    });
    if let Some(said) = bundle {
        http.trust = Trust::Bundle { path: ambient.absolute(said.value.as_ref()), from: said.from };
    }
    http.client_cert = pip.get(ambient, "client-cert").map(|s| ambient.absolute(s.value.as_ref()));
    let first = |names: &[&str]| names.iter().find_map(|n| ambient.var(n)).map(str::to_owned);
    let proxy = pip.get(ambient, "proxy").map(|s| s.value).filter(|v| !v.is_empty());
    // `HTTP_PROXY` in capitals may be set by a web request (CGI), so only small letters count.
    http.http_proxy =
        proxy.clone().or_else(|| first(&["http_proxy", "all_proxy", "ALL_PROXY"])).map(Secret::new);
    http.https_proxy =
        proxy.or_else(|| first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])).map(Secret::new);
    http.no_proxy = first(&["no_proxy", "NO_PROXY"]);
    // A program of the user's that may ask back is started only where they say so.
    let provider = pip.get(ambient, "keyring-provider").or_else(|| variable(ambient, "UV_KEYRING_PROVIDER"));
    if provider.is_some_and(|said| said.value.trim() == "subprocess") {
        http.keyring = Keyring::of(ambient);
    }
    let timeout = pip.get(ambient, "default-timeout").or_else(|| pip.get(ambient, "timeout"));
    if let Some(said) = timeout {
        let seconds: f64 =
            said.value.trim().parse().ok().filter(|s| (1.0..=3600.0).contains(s)).ok_or_else(|| {
                Error::input(format!("`{}` (from {}) is no time in seconds", said.value, said.from))
            })?;
        http.timeout = Duration::from_secs_f64(seconds);
    }
    if let Some(retries) = pip.get(ambient, "retries").and_then(|s| s.value.trim().parse::<u32>().ok()) {
        http.attempts = retries.saturating_add(1).min(20);
    }
    Ok(http)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
