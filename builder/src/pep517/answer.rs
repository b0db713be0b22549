//! What came of a build action: the runner's answer, read as foreign bytes.
//!
//! Knows the answer's JSON. Must never trust it: a backend runs in the process
//! that writes it.

use std::fs::File;
use std::io::Read;

use serde_json::Value;

use crate::error::{printable, shown};
use crate::exec::action::{ActionResult, Exit};
use crate::tree::RelPath;

/// The answer file, below the build folder.
pub const FILE: &str = "job/answer.json";

/// Bytes of an answer that are read; a longer one is no answer.
const LIMIT: u64 = 1 << 20;

/// A wheel was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The wheel, below the outputs folder (`dist/x.whl`).
    pub wheel: RelPath,
    /// The backend that was used, as `build-backend` names it.
    pub backend: String,
    /// What `get_requires_for_build_wheel` asked for, all of it there.
    pub requires: Vec<String>,
    /// Milliseconds of `import`, `get_requires` and `build`.
    pub took_ms: Vec<(String, u64)>,
}

/// A requirement of the backend that the build environment does not satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// As the backend wrote it, without its marker.
    pub requirement: String,
    /// The normalised name; empty when the text cannot be read.
    pub name: String,
    /// The version that is there and does not fit.
    pub found: Option<String>,
}

/// Why there is no wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither pyproject.toml nor setup.py nor setup.cfg.
    NoBackend,
    /// pyproject.toml cannot be read, or its `[build-system]` is wrong.
    BadPyproject(String),
    /// The backend's module is not in the environment.
    BackendMissing {
        /// As `build-backend` names it.
        backend: String,
        /// The module that could not be imported.
        module: Option<String>,
        /// One sentence.
        message: String,
    },
    /// The backend lacks `build_wheel` or the object it is said to be.
    HookMissing(String),
    /// The backend asks for what is not there.
    MissingRequirement(Vec<Missing>),
    /// A hook raised.
    Raised {
        /// `import`, `get_requires_for_build_wheel` or `build_wheel`.
        hook: String,
        /// The exception's class.
        exception: String,
        /// Its text.
        message: String,
        /// The module whose import failed, when that is at the bottom of it.
        module: Option<String>,
    },
    /// The hook named no wheel, or one it did not write.
    WheelMissing(String),
    /// A fragment of `[phases]` failed.
    Phase(String),
    /// The process ended without an answer.
    Died(Exit),
}

/// Reads what a build action of [`super::build_action`] gave. `Err` is a
/// failed build, a value of the report.
pub fn read_answer(result: &ActionResult) -> Result<Answer, Refusal> {
    let answer = read_json(result);
    let phase = running_phase(result);
    match (result.exit, &answer) {
        (Exit::Code(0), Some(answer)) => read_success(result, answer),
        (Exit::Code(_), Some(answer)) if answer["ok"] == false => Err(read_refusal(answer)),
        (Exit::Code(0), None) if phase.is_some() => phase_built(result),
        (Exit::Code(_), _) if phase.is_some() => Err(Refusal::Phase(phase.unwrap_or_default())),
        (exit, _) => Err(Refusal::Died(exit)),
    }
}

/// The phase in which a `[phases]` script ended; `None` when it ended well or
/// when the action ran none.
pub fn failed_phase(result: &ActionResult) -> Option<String> {
    running_phase(result).filter(|p| p != "done")
}

fn running_phase(result: &ActionResult) -> Option<String> {
    let bytes = read_bounded(result, super::phases::RUNNING)?;
    let text = String::from_utf8(bytes).ok()?;
    let word = text.trim();
    let known = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && word.len() < 32;
    known.then(|| word.to_owned())
}

/// The bytes of an output file, unless it is missing or too long.
pub(super) fn read_bounded(result: &ActionResult, name: &str) -> Option<Vec<u8>> {
    let path = super::below(name).under(result.outputs.path());
    // The executor collects regular files only; a link here would be its bug.
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LIMIT + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= LIMIT).then_some(bytes)
}

fn read_json(result: &ActionResult) -> Option<Value> {
    let value: Value = serde_json::from_slice(&read_bounded(result, FILE)?).ok()?;
    value.is_object().then_some(value)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A stranger's word in a sentence of ours: all of it on one line.
fn line(value: &Value) -> String {
    shown(value.as_str().unwrap_or_default()).into_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

fn read_success(result: &ActionResult, answer: &Value) -> Result<Answer, Refusal> {
    let name = text(&answer["wheel"]);
    let wheel = wheel_path(result, &name)?;
    let mut took_ms = Vec::new();
    for (phase, seconds) in answer["seconds"].as_object().into_iter().flatten() {
        // Milliseconds of a build fit; a foreign number that does not saturates.
        took_ms.push((phase.clone(), (seconds.as_f64().unwrap_or(0.0) * 1000.0) as u64));
    }
    let requires = texts(&answer["requires"]);
    Ok(Answer { wheel, backend: text(&answer["backend"]), requires, took_ms })
}

fn wheel_path(result: &ActionResult, name: &str) -> Result<RelPath, Refusal> {
    let bad =
        || Refusal::WheelMissing(format!("the build names `{}`, which is no wheel it wrote", shown(name)));
    if name.contains('/') || !name.ends_with(".whl") {
        return Err(bad());
    }
    let path = RelPath::new(format!("dist/{name}")).map_err(|_| bad())?;
    match path.under(result.outputs.path()).symlink_metadata() {
        Ok(meta) if meta.is_file() => Ok(path),
        _ => Err(bad()),
    }
}

/// A `build` phase in the runner's place: exactly one wheel in `dist`.
fn phase_built(result: &ActionResult) -> Result<Answer, Refusal> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(result.outputs.path().join("dist")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".whl") {
            names.push(name);
        }
    }
    names.sort();
    match names.as_slice() {
        [name] => {
            let wheel = wheel_path(result, name)?;
            Ok(Answer { wheel, backend: String::new(), requires: Vec::new(), took_ms: Vec::new() })
        }
        [] => Err(Refusal::WheelMissing("the `build` phase wrote no wheel to `$dist`".into())),
        many => Err(Refusal::WheelMissing(format!(
            "the `build` phase wrote {} wheels to `$dist`: {}",
            many.len(),
            shown(&many.join(", "))
        ))),
    }
}

fn read_refusal(answer: &Value) -> Refusal {
    // What a stranger says stands in sentences of ours, and must not look like one.
    let message = printable(&text(&answer["message"])).into_owned();
    let module = answer["missing_module"].as_str().map(|module| shown(module).into_owned());
    match answer["kind"].as_str().unwrap_or_default() {
        "no-backend" => Refusal::NoBackend,
        "bad-pyproject" => Refusal::BadPyproject(message),
        "backend-missing" => Refusal::BackendMissing { backend: line(&answer["backend"]), module, message },
        "hook-missing" => Refusal::HookMissing(message),
        "wheel-missing" => Refusal::WheelMissing(message),
        "missing-requirement" => {
            let missing = answer["missing"].as_array().into_iter().flatten();
            Refusal::MissingRequirement(
                missing
                    .map(|m| Missing {
                        requirement: line(&m["requirement"]),
                        name: line(&m["name"]),
                        found: m["found"].as_str().map(|found| shown(found).into_owned()),
                    })
                    .collect(),
            )
        }
        _ => Refusal::Raised {
            hook: line(&answer["hook"]),
            exception: line(&answer["exception"]),
            message,
            module,
        },
    }
}

impl Refusal {
    /// Failures with the same group are shown together.
    pub fn group(&self) -> String {
        match self {
            Refusal::NoBackend => "no-backend".into(),
            Refusal::BadPyproject(_) => "bad-pyproject".into(),
            Refusal::BackendMissing { backend, .. } => format!("backend-missing:{backend}"),
            Refusal::HookMissing(_) => "hook-missing".into(),
            Refusal::MissingRequirement(list) => {
                let names: Vec<&str> = list.iter().map(|m| m.name.as_str()).collect();
                format!("missing-requirement:{}", names.join(","))
            }
            Refusal::Raised { module: Some(module), .. } => format!("missing-module:{module}"),
            Refusal::Raised { .. } => "backend-raised".into(),
            Refusal::WheelMissing(_) => "wheel-missing".into(),
            Refusal::Phase(phase) => format!("phase:{phase}"),
            Refusal::Died(exit) => format!("exit-status:{}", exit_words(*exit)),
        }
    }

    /// One sentence for the report.
    pub fn message(&self) -> String {
        match self {
            Refusal::NoBackend => {
                "the source has no build backend: no pyproject.toml, setup.py or setup.cfg".into()
            }
            Refusal::BadPyproject(why) | Refusal::HookMissing(why) | Refusal::WheelMissing(why) => {
                why.clone()
            }
            Refusal::BackendMissing { message, .. } => message.clone(),
            Refusal::MissingRequirement(list) => {
                let each: Vec<String> = list
                    .iter()
                    .map(|m| match &m.found {
                        Some(version) => format!("`{}` ({version} is there)", m.requirement),
                        None => format!("`{}`", m.requirement),
                    })
                    .collect();
                format!("the build backend asks for what `build-system` does not give: {}", each.join(", "))
            }
            Refusal::Raised { hook, exception, message, .. } => {
                let first = message.lines().next().unwrap_or_default();
                let doing =
                    if hook == "import" { "importing the backend".into() } else { format!("`{hook}`") };
                format!("{doing} raised {exception}: {first}")
            }
            Refusal::Phase(phase) => format!("the `{phase}` phase failed"),
            Refusal::Died(exit) => format!("the build ended without an answer: {}", exit_words(*exit)),
        }
    }

    /// What would help, as far as the answer alone tells.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Refusal::NoBackend => vec![
                "say where the project is with `source.subdirectory`, or use `format = \"other\"` with `[phases]`"
                    .into(),
            ],
            Refusal::MissingRequirement(list) => list
                .iter()
                .map(|m| match &m.found {
                    Some(_) => format!("the requirement in `build-system` must allow it: \"{}\"", m.requirement),
                    None => format!("add \"{}\" to `build-system`", m.requirement),
                })
                .collect(),
            Refusal::BackendMissing { module, backend, .. } => {
                let top = backend.split([':', '.']).next().unwrap_or_default();
                let module = module.as_deref().unwrap_or(top);
                vec![format!("add \"{}\" to `build-system`", super::hints::project_of(module))]
            }
            Refusal::Raised { module: Some(module), .. } => {
                vec![format!("add \"{}\" to `build-system`", super::hints::project_of(module))]
            }
            _ => Vec::new(),
        }
    }
}

/// How a process ended, in words.
pub fn exit_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(signal) => format!("killed by signal {signal}"),
        Exit::TimedOut => "out of time".into(),
        Exit::Silent => "silent for too long".into(),
        Exit::Stopped => "stopped".into(),
    }
}
