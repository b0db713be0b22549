//! A way to servers from options: certificates and proxies.
//!
//! Knows PEM files and who is believed where. Must never know requests.

use std::path::PathBuf;

use reqwest::blocking::{Client, ClientBuilder};
use reqwest::{Certificate, Identity, NoProxy, Proxy, Url};

use super::http::{HttpOptions, chain};
use crate::error::{Error, IoContext as _, Result};

/// Which certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those of the system.
    System,
    /// Those of one PEM file, or of the files of a folder.
    Bundle {
        /// Where.
        path: PathBuf,
        /// Who said so (`PIP_CERT`), for messages.
        from: String,
    },
}

/// Certificates of one origin, where they differ from the general ones.
#[derive(Clone, Debug)]
pub struct OwnCerts {
    /// An address there: its scheme, host and port count.
    pub at: Url,
    /// Which certificates are believed there.
    pub trust: Option<Trust>,
    /// The key and certificate to show there.
    pub client_cert: Option<PathBuf>,
}

/// The certificates that hold for one address.
#[derive(Clone, Copy, Debug)]
pub struct Certs<'a> {
    /// Which are believed.
    pub trust: &'a Trust,
    /// A PEM file with a key and a certificate to show.
    pub client_cert: Option<&'a PathBuf>,
}

/// A client for `https:` with these certificates, or for plain `http:`.
pub(super) fn build(options: &HttpOptions, certs: Option<Certs<'_>>) -> Result<Client> {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("wheelwright/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(options.timeout)
        .timeout(options.timeout)
        .no_proxy();
    let (builder, over_tls) = proxied(builder, options, certs.is_some())?;
    let certs = match certs {
        Some(certs) => certs,
        // A proxy reached by https needs certificates, a plain request none.
        None if over_tls => Certs { trust: &options.trust, client_cert: options.client_cert.as_ref() },
        None => return builder.tls_certs_only([]).build().map_err(|e| client_error(&e)),
    };
    let mut builder = builder;
    if let Trust::Bundle { path, from } = certs.trust {
        builder = builder.tls_certs_only(read_bundle(path, from)?);
    }
    if let Some(path) = certs.client_cert {
        let pem =
            std::fs::read(path).doing(|| format!("failed to read the client key `{}`", path.display()))?;
        let identity = Identity::from_pem(&pem)
            .map_err(|_| Error::environment(format!("`{}` is no PEM key and certificate", path.display())))?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|e| client_error(&e))
}

/// With the proxy that is set, and whether that is reached by https.
fn proxied(builder: ClientBuilder, options: &HttpOptions, secure: bool) -> Result<(ClientBuilder, bool)> {
    let Some(address) = (if secure { &options.https_proxy } else { &options.http_proxy }) else {
        return Ok((builder, false));
    };
    let made = Proxy::all(address.reveal())
        .map_err(|_| Error::input("cannot use the proxy that is set: its address is not valid"))?;
    let made = made.no_proxy(options.no_proxy.as_deref().and_then(NoProxy::from_string));
    Ok((builder.proxy(made), address.reveal().starts_with("https:")))
}

fn read_bundle(path: &PathBuf, from: &str) -> Result<Vec<Certificate>> {
    let fail = || {
        let doing = format!("failed to read the CA bundle `{}` that {from} names", path.display());
        Error::environment(doing).hint(format!("correct {from}, or install `ca-certificates` and unset it"))
    };
    let mut files = vec![path.clone()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| fail().because(e))?;
        files = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_file()).collect();
        files.sort();
    }
    let mut all = Vec::new();
    for file in &files {
        let pem = std::fs::read(file).map_err(|e| fail().because(e))?;
        // A folder may hold other files; a single file must be a bundle.
        if let Ok(certificates) = Certificate::from_pem_bundle(&pem) {
            all.extend(certificates);
        }
    }
    if all.is_empty() { Err(fail().because("there is no certificate in it")) } else { Ok(all) }
}

fn client_error(e: &reqwest::Error) -> Error {
    Error::environment("failed to get ready for https: no usable CA certificates were found")
        .because(chain(e))
        .hint("install `ca-certificates`, or set SSL_CERT_FILE to a CA bundle")
}
