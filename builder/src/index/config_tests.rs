//! Where addresses, certificates and logins are found, and which wins.

use std::path::Path;

use expect_test::expect;

use super::*;

struct World {
    dir: tempfile::TempDir,
    ambient: Ambient,
    carrier: Carrier,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ambient = Ambient::made_up(dir.path());
        Self { dir, ambient, carrier: Carrier::default() }
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.ambient = self.ambient.with_var(name, value);
        self
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn load_with(&self, workspace: &[Named]) -> Result<Config> {
        Config::load(&self.ambient, workspace, self.carrier.clone(), Memo::none())
    }

    fn load(&self) -> Config {
        self.load_with(&[]).unwrap()
    }

    /// The addresses asked, one a line.
    fn asked(&self) -> String {
        let (addresses, _) = self.load().addresses(None).unwrap();
        let text: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        text.join("\n").replace(&self.dir.path().display().to_string(), "HOME")
    }
}

fn named(name: &str, url: &str) -> Named {
    Named { name: name.into(), url: url.into(), default: false, cert: None, client_cert: None }
}

fn login(config: &Config, url: &str) -> Option<(String, String)> {
    let login = config.http.logins.of(&Url::parse(url).unwrap())?;
    Some((login.user.reveal().to_owned(), login.password.reveal().to_owned()))
}

#[test]
fn the_nearest_source_of_an_address_wins() {
    let mut world = World::new();
    let pip = "pip/_internal/models/index.py";
    world = world.file(&format!("site/{pip}"), "PyPI = PackageIndex(\"https://carried.test/\")\n");
    world.carrier.site_packages = vec![world.dir.path().join("site")];
    let carried = expect![
        "https://carried.test/simple/ (from the default of pip in `HOME/site/pip/_internal/models/index.py`)"
    ];
    carried.assert_eq(&world.asked());
    world = world.file("root/etc/uv/uv.toml", "index-url = 'https://uv-machine.test/s'");
    expect!["https://uv-machine.test/s/ (from `index-url` in `HOME/root/etc/uv/uv.toml`)"]
        .assert_eq(&world.asked());
    world = world.file(".config/uv/uv.toml", "[[index]]\nurl = 'https://uv-user.test/s'\ndefault = true");
    expect!["https://uv-user.test/s/ (from `index` in `HOME/.config/uv/uv.toml`)"].assert_eq(&world.asked());
    world = world.file("root/etc/pip.conf", "[global]\nindex-url = https://global.test/s/");
    expect!["https://global.test/s/ (from `index-url` in `HOME/root/etc/pip.conf`)"]
        .assert_eq(&world.asked());
    world = world.file(".config/pip/pip.conf", "[global]\nindex_url: https://user.test/s");
    expect!["https://user.test/s/ (from `index-url` in `HOME/.config/pip/pip.conf`)"]
        .assert_eq(&world.asked());
    world = world.file("venv/pip.conf", "[install]\nindex-url = https://site.test/s");
    world.carrier.prefix = Some(world.dir.path().join("venv"));
    expect!["https://site.test/s/ (from `index-url` in `HOME/venv/pip.conf`)"].assert_eq(&world.asked());
    world =
        world.file("own.conf", "[global]\nindex-url = https://own.test/s").var("PIP_CONFIG_FILE", "own.conf");
    expect!["https://own.test/s/ (from `index-url` in `HOME/own.conf`)"].assert_eq(&world.asked());
    world = world.var("UV_INDEX_URL", "https://uv-old.test/s");
    expect!["https://uv-old.test/s/ (from UV_INDEX_URL)"].assert_eq(&world.asked());
    world = world.var("UV_DEFAULT_INDEX", "https://uv.test/s");
    expect!["https://uv.test/s/ (from UV_DEFAULT_INDEX)"].assert_eq(&world.asked());
    world = world.var("PIP_INDEX_URL", "https://pip.test/s");
    expect!["https://pip.test/s/ (from PIP_INDEX_URL)"].assert_eq(&world.asked());
    let config = world.load_with(&[named("default", "https://workspace.test/s")]).unwrap();
    let (addresses, _) = config.addresses(None).unwrap();
    assert_eq!(
        addresses[0].to_string(),
        "https://workspace.test/s/ (from `[index.default]` in wheelwright.toml)"
    );
    let (addresses, _) = config.addresses(Some("https://recipe.test/s")).unwrap();
    assert_eq!(addresses[0].to_string(), "https://recipe.test/s/ (from the recipe's `index`)");
}

#[test]
fn extra_indexes_are_asked_first_unless_the_workspace_decides() {
    let world = World::new()
        .var("PIP_EXTRA_INDEX_URL", "https://a.test/s https://b.test/s")
        .var("UV_INDEX", "mine=https://c.test/s")
        .var("PIP_INDEX_URL", "https://d.test/s")
        .var("UV_INDEX_MINE_USERNAME", "me")
        .var("UV_INDEX_MINE_PASSWORD", "pw");
    expect![[r#"
        https://c.test/s/ (from UV_INDEX)
        https://a.test/s/ (from PIP_EXTRA_INDEX_URL)
        https://b.test/s/ (from PIP_EXTRA_INDEX_URL)
        https://d.test/s/ (from PIP_INDEX_URL)"#]]
    .assert_eq(&world.asked());
    assert_eq!(login(&world.load(), "https://c.test/x"), Some(("me".into(), "pw".into())));
    let own = Named { default: true, ..named("corp", "https://w.test/s") };
    let (addresses, _) = world.load_with(&[own]).unwrap().addresses(None).unwrap();
    assert_eq!(addresses.len(), 1);
}

#[test]
fn no_file_is_read_when_pip_is_told_so() {
    let world = World::new()
        .file("root/etc/pip.conf", "[global]\nindex-url = https://global.test/s")
        .var("PIP_CONFIG_FILE", "/dev/null");
    let error = world.load().addresses(None).unwrap_err();
    expect!["no package index is configured"].assert_eq(&error.to_string());
    assert!(error.hints[0].contains("PIP_INDEX_URL"));
}

#[test]
fn logins_are_taken_out_of_addresses_and_netrc() {
    let world = World::new()
        .file("secrets", "machine files.test login n password hunter4")
        .var("NETRC", "secrets")
        .var("PIP_INDEX_URL", "https://me:hunter2@index.test/s");
    let config = world.load_with(&[named("corp", "https://corp.test/s")]).unwrap();
    assert_eq!(login(&config, "https://index.test/s/x/"), Some(("me".into(), "hunter2".into())));
    assert_eq!(login(&config, "https://files.test/x"), Some(("n".into(), "hunter4".into())));
    assert_eq!(login(&config, "https://corp.test/x"), None);
    let text = format!("{config:?} {:?} {}", config.http, world.asked());
    assert!(!text.contains("hunter"), "{text}");
    let (addresses, login) = config.addresses(Some("https://r:hunter3@recipe.test/s")).unwrap();
    assert_eq!(addresses[0].url.as_str(), "https://recipe.test/s/");
    assert!(login.is_some());
    let world = World::new().var("PIP_INDEX_URL", "htps://me:hunter2@index.test/s");
    let error = world.load_with(&[]).unwrap_err();
    expect!["cannot use the index `htps://index.test/s` (from PIP_INDEX_URL): its address begins with none of `https:`, `http:` and `file:`"]
        .assert_eq(&error.to_string());
}

#[test]
fn an_unknown_index_name_is_explained() {
    let config = World::new().load_with(&[named("corp", "https://corp.test/s")]).unwrap();
    let error = config.addresses(Some("crp")).unwrap_err();
    expect!["there is no index `crp`"].assert_eq(&error.to_string());
    assert_eq!(error.hints[0], "did you mean `corp`?");
    assert!(config.addresses(Some("corp")).is_ok());
}

#[test]
fn certificates_proxies_and_times_are_those_of_pip() {
    let world = World::new()
        .file(".pip/pip.conf", "[global]\ncert = ~/corp.pem\ntimeout = 7\nretries = 2\nclient-cert = /k.pem")
        .var("SSL_CERT_FILE", "/s.pem")
        .var("https_proxy", "http://u:hunter2@proxy.test:3128")
        .var("NO_PROXY", "internal.test");
    let http = world.load().http;
    let from = format!("`cert` in `{}/.pip/pip.conf`", world.dir.path().display());
    assert_eq!(http.trust, Trust::Bundle { path: world.dir.path().join("corp.pem"), from });
    assert_eq!((http.timeout, http.attempts), (Duration::from_secs(7), 3));
    assert_eq!(http.client_cert.as_deref(), Some(Path::new("/k.pem")));
    assert!(http.http_proxy.is_none() && http.https_proxy.is_some());
    assert_eq!(http.no_proxy.as_deref(), Some("internal.test"));
    let world = world.var("PIP_CERT", "/p.pem").var("REQUESTS_CA_BUNDLE", "/r.pem");
    assert_eq!(world.load().http.trust, Trust::Bundle { path: "/p.pem".into(), from: "PIP_CERT".into() });
    let plain = World::new().var("SSL_CERT_FILE", "/s.pem").load().http;
    assert_eq!(plain.trust, Trust::Bundle { path: "/s.pem".into(), from: "SSL_CERT_FILE".into() });
    assert_eq!(World::new().load().http.trust, Trust::System);
    let error = World::new().var("PIP_TIMEOUT", "soon").load_with(&[]).unwrap_err();
    expect!["`soon` (from PIP_TIMEOUT) is no time in seconds"].assert_eq(&error.to_string());
}

#[test]
fn an_index_has_certificates_of_its_own() {
    let corp = Named {
        cert: Some("/corp.pem".into()),
        client_cert: Some("/me.pem".into()),
        ..named("corp", "https://corp.test:8443/s")
    };
    let world = World::new().var("PIP_CERT", "/p.pem");
    let http = world.load_with(&[named("plain", "https://plain.test/s"), corp]).unwrap().http;
    let told = |url: &str| {
        let certs = http.certs_for(&Url::parse(url).unwrap());
        format!("{:?} {:?}", certs.trust, certs.client_cert)
    };
    expect![[r#"Bundle { path: "/corp.pem", from: "`cert` of `[index.corp]`" } Some("/me.pem")"#]]
        .assert_eq(&told("https://corp.test:8443/files/x.zip"));
    for other in ["https://corp.test/s/", "https://plain.test/s/"] {
        expect![[r#"Bundle { path: "/p.pem", from: "PIP_CERT" } None"#]].assert_eq(&told(other));
    }
}

#[test]
fn uv_projects_and_broken_files_are_seen() {
    let world = World::new().file(
        "pyproject.toml",
        "[[tool.uv.index]]\nname = 'corp'\nurl = 'https://corp.test/s'\nexplicit = true\n\
         [[tool.uv.index]]\nurl = 'https://more.test/s'\n",
    );
    assert!(world.load().addresses(Some("corp")).is_ok());
    assert!(world.asked().starts_with("https://more.test/s/"));
    let broken = World::new().file("uv.toml", "index-url = ");
    let error = broken.load_with(&[]).unwrap_err().to_string();
    assert!(error.ends_with("/uv.toml` is not valid TOML"), "{error}");
}
