//! The index against a server on the loopback.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::fetch::WantFile;
use crate::fetch::http::HttpOptions;
use crate::fetch::testserver::{Reply, Server};

mod indexes;
mod kept;
mod logins;
mod pages;
mod tail;

const JSON: &str = "application/vnd.pypi.simple.v1+json";

fn no_pause(_: Duration, _: &AtomicBool) {}

struct World {
    dir: tempfile::TempDir,
    ambient: Ambient,
    refresh: bool,
    offline: bool,
}

impl World {
    fn new(server: &Server) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ambient = Ambient::made_up(dir.path()).with_var("PIP_INDEX_URL", server.url("/simple"));
        Self { dir, ambient, refresh: false, offline: false }
    }

    /// A run of its own: nothing is kept but the folder of pages.
    fn run(&self) -> (Arc<Index>, Fetcher) {
        let mut config = Config::load(&self.ambient, &[], Carrier::default(), Memo::none()).unwrap();
        config.http = HttpOptions { pause: no_pause, offline: self.offline, ..config.http };
        let folder = self.dir.path().join("pages");
        Index::open(&self.ambient, config, Pages { folder, refresh: self.refresh, now: self.ambient.now })
    }

    fn later(mut self, seconds: u64) -> Self {
        let now = self.ambient.now + Duration::from_secs(seconds);
        self.ambient = self.ambient.with_now(now);
        self
    }
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn file(project: &str, version: &str, want: WantFile) -> PypiFile {
    PypiFile { project: name(project), version: version.parse().unwrap(), file: None, index: None, want }
}

fn json(files: &str) -> Reply {
    Reply::ok(format!("{{\"meta\": {{\"api-version\": \"1.1\"}}, \"name\": \"x\", \"files\": [{files}]}}"))
        .header("Content-Type", JSON)
}

/// Wire text of files with nothing but a name and an address.
fn plain(names: &[&str]) -> String {
    let one = |n: &&str| format!("{{\"filename\": \"{n}\", \"url\": \"../../files/{n}\", \"hashes\": {{}}}}");
    names.iter().map(one).collect::<Vec<_>>().join(",")
}

fn found(result: Result<ProjectFile, IndexError>) -> String {
    match result {
        Ok(file) => file.name,
        Err(error) => {
            let error = error.into_error();
            format!("{error}\n{}", error.hints.join("\n"))
        }
    }
}
