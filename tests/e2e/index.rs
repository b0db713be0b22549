//! A package index on the loopback: PEP 691 JSON and PEP 503 HTML over HTTP.
//!
//! Knows files and what is wrong with the way they are served. Must never
//! know who asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::project::{Project, hex};
use crate::server::{Reply, Request, Server};

/// What is wrong with one file, or with the page of a project.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The page lists it; the file is a 404.
    Gone,
    /// The connection ends after so many bytes.
    CutAfter(usize),
    /// Other bytes than the page's hash says.
    Swapped(Vec<u8>),
    /// The server's fault, so many times; then all is well.
    Failing(u16, usize),
}

#[derive(Default)]
struct State {
    /// Normalised project name -> file name -> bytes.
    files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    troubles: BTreeMap<String, Trouble>,
    /// What the page says of a file beside its hash, as JSON.
    facts: BTreeMap<String, Vec<(&'static str, serde_json::Value)>>,
    only_html: bool,
}

/// A running index; it ends when dropped.
pub struct Index {
    state: Arc<Mutex<State>>,
    server: Server,
}

impl Index {
    /// An empty index on a free port.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let seen = Arc::clone(&state);
        Self { state, server: Server::start(move |request| answer(&mut seen.lock().unwrap(), request)) }
    }

    /// The address that goes into PIP_INDEX_URL.
    pub fn url(&self) -> String {
        self.server.url("/simple/")
    }

    /// `http://127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.server.url("")
    }

    /// Serves a project's sdist.
    pub fn publish(&self, project: &Project) {
        self.serve(&project.name, &project.file_name(), project.sdist());
    }

    /// Serves any file of a project, in place of one of the same name.
    pub fn serve(&self, project: &str, file_name: &str, bytes: Vec<u8>) {
        let name = project.to_lowercase().replace(['_', '.'], "-");
        self.state.lock().unwrap().files.entry(name).or_default().insert(file_name.to_owned(), bytes);
    }

    /// From now on the page says this, too, of a file (`upload-time`, `yanked`).
    pub fn says(&self, file_name: &str, key: &'static str, value: impl Into<serde_json::Value>) {
        let mut state = self.state.lock().unwrap();
        state.facts.entry(file_name.to_owned()).or_default().push((key, value.into()));
    }

    /// From now on a file is served badly.
    pub fn trouble(&self, file_name: &str, trouble: Trouble) {
        self.state.lock().unwrap().troubles.insert(file_name.to_owned(), trouble);
    }

    /// From now on pages are HTML whatever the client accepts.
    pub fn only_html(&self) {
        self.state.lock().unwrap().only_html = true;
    }

    /// Paths of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.server.paths()
    }

    /// How many files were asked for so far (pages not counted).
    pub fn downloads(&self) -> usize {
        self.requests().iter().filter(|p| p.starts_with("/files/")).count()
    }
}

fn answer(state: &mut State, request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap_or("");
    if let Some(project) = path.strip_prefix("/simple/").and_then(|p| p.strip_suffix('/')) {
        let Some(files) = state.files.get(project) else { return Reply::not_found() };
        let json =
            request.header("accept").is_some_and(|a| a.contains("application/vnd.pypi.simple.v1+json"));
        return if json && !state.only_html {
            json_page(project, files, &state.facts)
        } else {
            html_page(files)
        };
    }
    let Some(file_name) = path.strip_prefix("/files/") else { return Reply::not_found() };
    let Some(bytes) = state.files.values().find_map(|f| f.get(file_name)) else { return Reply::not_found() };
    match state.troubles.get_mut(file_name) {
        None => Reply::ok(bytes.clone()).ranged(request),
        Some(Trouble::Gone) => Reply::not_found(),
        Some(Trouble::CutAfter(bytes_sent)) => Reply::ok(bytes.clone()).cut_after(*bytes_sent),
        Some(Trouble::Swapped(other)) => Reply::ok(other.clone()),
        Some(Trouble::Failing(_, 0)) => Reply::ok(bytes.clone()),
        Some(Trouble::Failing(status, times)) => {
            *times -= 1;
            Reply::status(*status)
        }
    }
}

fn json_page(
    project: &str,
    files: &BTreeMap<String, Vec<u8>>,
    facts: &BTreeMap<String, Vec<(&'static str, serde_json::Value)>>,
) -> Reply {
    let files: Vec<serde_json::Value> = files
        .iter()
        .map(|(name, bytes)| {
            let mut file = serde_json::json!({
                "filename": name,
                "url": format!("../../files/{name}"),
                "hashes": { "sha256": hex(bytes) },
                "size": bytes.len(),
            });
            for (key, value) in facts.get(name).into_iter().flatten() {
                file[*key] = value.clone();
            }
            file
        })
        .collect();
    let page = serde_json::json!({ "meta": { "api-version": "1.1" }, "name": project, "files": files });
    Reply::ok(page.to_string()).header("Content-Type", "application/vnd.pypi.simple.v1+json")
}

fn html_page(files: &BTreeMap<String, Vec<u8>>) -> Reply {
    let links: String = files
        .iter()
        .map(|(name, bytes)| format!("<a href=\"../../files/{name}#sha256={}\">{name}</a><br>\n", hex(bytes)))
        .collect();
    let page = format!("<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n");
    Reply::ok(page).header("Content-Type", "text/html; charset=utf-8")
}
