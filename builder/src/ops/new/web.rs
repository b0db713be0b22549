//! Web applications in a source, by the words of its Python files.
//!
//! Knows how Flask, FastAPI and Django projects are written. Must never run
//! what it reads, and never know a recipe's layout.

/// Folders whose files are nobody's application.
pub const ASIDE: [&str; 12] = [
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "example",
    "benchmarks",
    ".github",
    "node_modules",
    "migrations",
    "build",
];

/// What serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framework {
    /// A WSGI object of Flask.
    Flask,
    /// An ASGI object of FastAPI.
    FastApi,
    /// A project of Django.
    Django,
}

impl Framework {
    /// As it writes itself.
    pub fn title(self) -> &'static str {
        match self {
            Framework::Flask => "Flask",
            Framework::FastApi => "FastAPI",
            Framework::Django => "Django",
        }
    }

    /// The project on the index.
    pub fn project(self) -> &'static str {
        match self {
            Framework::Flask => "flask",
            Framework::FastApi => "fastapi",
            Framework::Django => "django",
        }
    }
}

/// An application that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// What serves it.
    pub framework: Framework,
    /// `shop.web:app`, or `shop:create_app()`.
    pub object: String,
    /// `shop/web.py:3`.
    pub place: String,
}

impl App {
    /// Its module.
    pub fn module(&self) -> &str {
        self.object.split(':').next().unwrap_or_default()
    }

    /// Whether it is an object of a module, not what a function gives.
    pub fn is_object(&self) -> bool {
        !self.object.ends_with("()")
    }

    /// How a server is started in an environment that holds a package.
    pub fn command(&self, package: &str) -> String {
        match self.framework {
            Framework::Flask => {
                format!("wheelwright run {package} -- flask --app {} run", self.object.trim_end_matches("()"))
            }
            Framework::FastApi if self.is_object() => {
                format!("wheelwright run {package} uvicorn -- uvicorn {}", self.object)
            }
            Framework::FastApi => {
                let object = self.object.trim_end_matches("()");
                format!("wheelwright run {package} uvicorn -- uvicorn --factory {object}")
            }
            Framework::Django => {
                format!("wheelwright run {package} gunicorn -- gunicorn {}", self.object)
            }
        }
    }
}

/// The applications in Python files: paths below the source and their texts.
pub fn find<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<App> {
    let mut found: Vec<App> = Vec::new();
    let (mut managed, mut django) = (false, Vec::new());
    for (path, text) in files {
        let Some(module) = module_of(path) else { continue };
        managed |= path == "manage.py" || path.ends_with("/manage.py");
        let imports = |name: &str| {
            text.lines().any(|l| {
                let mut words = l.trim_start().split([' ', '.', ',']);
                matches!(words.next(), Some("from" | "import")) && words.next() == Some(name)
            })
        };
        let (flask, fastapi) = (imports("flask"), imports("fastapi"));
        for (number, line) in code_lines(text) {
            let place = format!("{path}:{number}");
            let mut add = |framework, object: &str| {
                let object = format!("{module}:{object}");
                found.push(App { framework, object, place: place.clone() });
            };
            if let Some((name, class)) = made(line) {
                match class {
                    "Flask" | "flask.Flask" if flask => add(Framework::Flask, name),
                    "FastAPI" | "fastapi.FastAPI" if fastapi => add(Framework::FastApi, name),
                    _ => {}
                }
            } else if line.starts_with("def create_app(") || line.starts_with("def make_app(") {
                let name = &line[4..line.find('(').unwrap_or(line.len())];
                match (flask, fastapi) {
                    (true, _) => add(Framework::Flask, &format!("{name}()")),
                    (false, true) => add(Framework::FastApi, &format!("{name}()")),
                    _ => {}
                }
            } else if let Some(object) = setting(line, "WSGI_APPLICATION") {
                django.push((object.to_owned(), place));
            }
        }
    }
    if managed {
        found.extend(django.into_iter().filter_map(|(object, place)| {
            let (module, name) = object.rsplit_once('.')?;
            Some(App { framework: Framework::Django, object: format!("{module}:{name}"), place })
        }));
    }
    // The shortest module is what is meant to be served.
    found.sort_by(|a, b| (a.module().len(), &a.object).cmp(&(b.module().len(), &b.object)));
    found
}

/// `shop.web` of `src/shop/web.py`; nothing for tests and what is no module.
fn module_of(path: &str) -> Option<String> {
    let path = path.strip_suffix(".py")?;
    let path = path.strip_prefix("src/").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let (last, folders) = parts.split_last()?;
    let aside = folders.iter().any(|part| ASIDE.contains(part))
        || last.starts_with("test_")
        || ["conftest", "setup", "noxfile"].contains(last);
    let plain = |part: &&str| part.chars().all(|c| c.is_alphanumeric() || c == '_');
    if aside || !parts.iter().all(plain) {
        return None;
    }
    let module = if *last == "__init__" { folders } else { &parts[..] };
    (!module.is_empty()).then(|| module.join("."))
}

/// `app` and `Flask` of `app = Flask(`, at the beginning of a line.
fn made(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.split(':').next()?.trim_end();
    let class = value.trim_start().split_once('(')?.0;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && class.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')).then_some((name, class))
}

/// The string of `NAME = "…"`.
fn setting<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim_start();
    let mark = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
    value[1..].split(mark).next()
}

/// Lines with their numbers, without those inside long strings.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut open: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let was_open = open.is_some();
        let mut rest = line;
        loop {
            let next = match open {
                Some(mark) => rest.find(mark).map(|at| (at, mark)),
                None => ["\"\"\"", "'''"].into_iter().filter_map(|m| Some((rest.find(m)?, m))).min(),
            };
            let Some((at, mark)) = next else { break };
            rest = &rest[at + 3..];
            open = if open.is_some() { None } else { Some(mark) };
        }
        (!was_open).then_some((index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(files: &[(&str, &str)]) -> Vec<String> {
        let found = find(files.iter().copied());
        found.iter().map(|a| format!("{} {} {}", a.framework.title(), a.object, a.place)).collect()
    }

    #[test]
    fn applications_are_found_by_their_words() {
        let flask = "from flask import Flask\n\napp = Flask(__name__)\n";
        assert_eq!(objects(&[("shop.py", flask)]), ["Flask shop:app shop.py:3"]);
        assert_eq!(objects(&[("src/shop/__init__.py", flask)]), ["Flask shop:app src/shop/__init__.py:3"]);
        let factory =
            "import flask\ndef create_app(config=None):\n    app = flask.Flask('x')\n    return app\n";
        assert_eq!(objects(&[("shop/web.py", factory)]), ["Flask shop.web:create_app() shop/web.py:2"]);
        let fast = "from fastapi import FastAPI\napi: FastAPI = FastAPI(title='x')\n";
        assert_eq!(objects(&[("main.py", fast)]), ["FastAPI main:api main.py:2"]);
        let settings = ("shop/settings.py", "WSGI_APPLICATION = 'shop.wsgi.application'\n");
        assert_eq!(
            objects(&[("manage.py", ""), settings]),
            ["Django shop.wsgi:application shop/settings.py:1"]
        );
        assert_eq!(objects(&[settings]), [""; 0]);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let flask = "from flask import Flask\napp = Flask(__name__)\n";
        for path in ["tests/app.py", "test_app.py", "conftest.py", "a-b/app.py", "app.txt", "docs/app.py"] {
            assert_eq!(objects(&[(path, flask)]), [""; 0], "{path}");
        }
        for text in [
            "\"\"\"Use it:\n\nfrom flask import Flask\napp = Flask(__name__)\n\"\"\"\n",
            "from flask import Flask\ndef f():\n    app = Flask(__name__)\n",
            "from mine import Flask\napp = Flask(__name__)\n",
            "def create_app():\n    pass\n",
        ] {
            assert_eq!(objects(&[("app.py", text)]), [""; 0], "{text}");
        }
    }

    #[test]
    fn the_way_to_serve_it_is_said() {
        let app = |framework, object: &str| App { framework, object: object.into(), place: String::new() };
        let said = |framework, object| app(framework, object).command("shop");
        assert_eq!(said(Framework::Flask, "a:b()"), "wheelwright run shop -- flask --app a:b run");
        assert_eq!(said(Framework::FastApi, "a:b"), "wheelwright run shop uvicorn -- uvicorn a:b");
        assert!(said(Framework::FastApi, "a:b()").contains("--factory a:b"));
        assert!(said(Framework::Django, "a.wsgi:application").ends_with("gunicorn a.wsgi:application"));
    }
}
