//! `cargo xtask synth`: a workspace of synthetic recipes, the same for a seed.
//!
//! Knows the shape of real package sets (docs/scale.md tells it). Must never
//! look at the disk but to write, nor at the clock: a seed says everything.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use recipes::name::Sha256;

const HELP: &str = "\
cargo xtask synth DIR [--recipes N] [--seed S]   write a workspace of synthetic recipes

  --recipes N   how many [10000]
  --seed S      which ones: the same for the same seed [1]";

/// Runs the words after `synth`.
pub fn main(words: &[&str]) -> ExitCode {
    match asked(words) {
        Ok((folder, shape)) => match write(&folder, &shape) {
            Ok(count) => {
                println!("{count} recipes in {}", folder.display());
                ExitCode::SUCCESS
            }
            Err(text) => {
                eprintln!("error: {text}");
                ExitCode::from(1)
            }
        },
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

/// How many, and which.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Recipe files.
    pub recipes: usize,
    /// Decides everything else.
    pub seed: u64,
}

/// What the words ask for.
fn asked(words: &[&str]) -> Result<(PathBuf, Shape), String> {
    let mut shape = Shape { recipes: 10_000, seed: 1 };
    let mut folder = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse::<u64>().ok());
            value.ok_or_else(|| format!("`{word}` needs a number\n\n{HELP}"))
        };
        match *word {
            "--recipes" => shape.recipes = usize::try_from(number()?).map_err(|e| e.to_string())?,
            "--seed" => shape.seed = number()?,
            _ if word.starts_with('-') || folder.is_some() => {
                return Err(format!("`{word}` is not understood\n\n{HELP}"));
            }
            _ => folder = Some(PathBuf::from(word)),
        }
    }
    Ok((folder.ok_or_else(|| HELP.to_owned())?, shape))
}

/// Writes the workspace; the folder may be there, its recipes must not.
pub fn write(folder: &Path, shape: &Shape) -> Result<usize, String> {
    let recipes = folder.join("recipes");
    let told = |path: &Path, e: std::io::Error| format!("failed to write `{}`: {e}", path.display());
    std::fs::create_dir_all(folder).map_err(|e| told(folder, e))?;
    std::fs::create_dir(&recipes).map_err(|e| told(&recipes, e))?;
    let workspace = folder.join("wheelwright.toml");
    std::fs::write(&workspace, "[set]\nrecipes = [\"recipes\"]\n").map_err(|e| told(&workspace, e))?;
    let files = texts(shape);
    for (name, text) in &files {
        let path = recipes.join(name);
        std::fs::write(&path, text).map_err(|e| told(&path, e))?;
    }
    Ok(files.len())
}

/// The recipe files: name and text.
pub fn texts(shape: &Shape) -> Vec<(String, String)> {
    let mut dice = Dice(shape.seed);
    let mut made: Vec<Made> = Vec::with_capacity(shape.recipes);
    while made.len() < shape.recipes {
        // A few names stand there in an older version, too.
        let older = match made.last() {
            Some(last) if !last.older && dice.hits(30) => {
                Some(Made { major: last.major - 1, older: true, ..last.clone() })
            }
            _ => None,
        };
        let next = older.unwrap_or_else(|| Made::new(made.len(), &mut dice));
        made.push(next);
    }
    let text = |(i, recipe): (usize, &Made)| {
        let tail = if recipe.older { format!("-{}", recipe.major) } else { String::new() };
        (format!("{}{tail}.toml", recipe.name), recipe.text(&made[..i], &mut dice))
    };
    made.iter().enumerate().map(text).collect()
}

/// One recipe before its text.
#[derive(Clone, Debug)]
struct Made {
    name: String,
    major: u64,
    older: bool,
    extra: bool,
}

/// Parts of names.
const SYLLABLES: [&str; 12] =
    ["py", "data", "http", "async", "lib", "core", "tool", "text", "net", "graph", "flow", "kit"];

/// Per mille of recipes with at most so many dependencies: in the corpus two
/// thirds have none, because what it has not got is left out; in the index as
/// a whole it is two fifths.
const FAN_OUT: [(u64, u64); 8] =
    [(400, 0), (600, 1), (720, 2), (810, 3), (870, 4), (920, 6), (970, 10), (1000, 20)];

/// Build systems by their share in the corpus, per mille; with a compiler or without.
const BACKENDS: [(u64, &str, bool); 12] = [
    (280, r#""setuptools""#, false),
    (400, r#""setuptools>=61.0", "wheel""#, false),
    (470, r#""setuptools>=77", "setuptools-scm[toml]>=8""#, false),
    (560, r#""flit-core>=3.11,<5""#, false),
    (620, r#""flit-core<4""#, false),
    (720, r#""hatchling>=1.26""#, false),
    (780, r#""hatch-vcs>=0.4", "hatchling>=1.27""#, false),
    (810, r#""hatchling", "hatch-fancy-pypi-readme""#, false),
    (850, r#""pdm-backend""#, false),
    (890, r#""poetry-core>=1.0.0""#, false),
    (960, r#""setuptools>=62""#, true),
    (1000, r#""setuptools>=68", "cython>=3""#, true),
];

impl Made {
    fn new(number: usize, dice: &mut Dice) -> Self {
        let [a, b] = [(); 2].map(|()| SYLLABLES[dice.below(SYLLABLES.len())]);
        Self {
            name: format!("{a}{b}-{number:05}"),
            major: 2 + dice.below(6) as u64,
            older: false,
            extra: dice.hits(60),
        }
    }

    /// The file, with requirements on recipes `before` it.
    fn text(&self, before: &[Made], dice: &mut Dice) -> String {
        let (name, version) = (&self.name, format!("{}.{}.{}", self.major, dice.below(20), dice.below(10)));
        let roll = dice.below(1000) as u64;
        let (_, backend, native) =
            BACKENDS.into_iter().find(|(share, ..)| roll < *share).unwrap_or(BACKENDS[0]);
        let mut out = format!("pname = \"{name}\"\nversion = \"{version}\"\n");
        if dice.hits(800) {
            let _ = writeln!(out, "requires-python = \">=3.{}\"", 8 + dice.below(2));
        }
        let _ = writeln!(out, "build-system = [{backend}]");
        list(&mut out, "dependencies", &requirements(before, dice));
        if self.extra {
            let wanted = requirements(before, dice);
            let _ = writeln!(out, "\n[optional-dependencies]");
            list(&mut out, "more", &wanted);
            if wanted.is_empty() {
                let _ = writeln!(out, "more = []");
            }
        }
        let hash = Sha256([(); 32].map(|()| dice.below(256) as u8)).sri();
        let _ = writeln!(out, "\n[source]\npypi = \"{name}\"\nhash = \"{hash}\"");
        if native {
            let _ = writeln!(
                out,
                "\n[build]\nexpect = \"native\"\n\n[external]\nbuild-requires = [\"virtual:compiler/c\"]"
            );
        }
        match dice.below(10) {
            0 => out.push_str("\n[check]\nrunner = \"pytest\"\n"),
            1..=6 => {
                let _ = writeln!(out, "\n[check]\nimports = [\"{}\"]", name.replace('-', "_"));
            }
            _ => {}
        }
        let _ = writeln!(
            out,
            "\n[meta]\ndescription = \"A synthetic package that stands for {name} and its like\""
        );
        let _ = writeln!(out, "homepage = \"https://example.invalid/{name}\"\nlicense = \"MIT\"");
        out
    }
}

/// Requirements of one recipe, each name once.
fn requirements(before: &[Made], dice: &mut Dice) -> Vec<String> {
    let roll = dice.below(1000) as u64;
    let place = FAN_OUT.iter().position(|(share, _)| roll < *share).unwrap_or(0);
    let least = place.checked_sub(1).map_or(0, |below| FAN_OUT[below].1 + 1);
    let count = least + dice.below((FAN_OUT[place].1 - least + 1) as usize) as u64;
    let mut chosen: Vec<&Made> = Vec::new();
    // The first ones, which many need, need little themselves.
    for _ in 0..count.min(before.len() as u64 / 8) {
        let found = &before[dice.popular(before.len())];
        if chosen.iter().all(|have| have.name != found.name) {
            chosen.push(found);
        }
    }
    chosen.into_iter().map(|made| requirement(made, dice)).collect()
}

/// `"name[more]>=2.0; python_version >= \"3.8\""` as TOML.
fn requirement(of: &Made, dice: &mut Dice) -> String {
    let extra = if of.extra && dice.hits(200) { "[more]" } else { "" };
    // At least what both versions of a name satisfy, or only the newer.
    let bound = match dice.below(10) {
        0..=3 => String::new(),
        4..=7 => format!(">={}.0", of.major - 1),
        _ => format!(">={}.0,<{}", of.major, of.major + 3),
    };
    let marker = match dice.below(20) {
        0..=1 => "; python_version >= \"3.8\"",
        2..=3 => "; python_version < \"3.8\"",
        4 => "; sys_platform == \"win32\"",
        _ => "",
    };
    format!("'{}{extra}{bound}{marker}'", of.name)
}

/// A list as the formatter lays it out; nothing for an empty one.
fn list(out: &mut String, key: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "{key} = [");
    for item in items {
        let _ = writeln!(out, "    {item},");
    }
    let _ = writeln!(out, "]");
}

/// SplitMix64: small, the same everywhere, good enough for shapes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit.max(1) as u64) as usize
    }

    /// True for so many of a thousand.
    fn hits(&mut self, per_mille: u64) -> bool {
        self.roll() % 1000 < per_mille
    }

    /// An index below `limit`: most often a small one, as a few packages are
    /// what most others need, and now and then any.
    fn popular(&mut self, limit: usize) -> usize {
        let share = (self.roll() >> 11) as f64 / (1u64 << 53) as f64;
        let skewed = if self.hits(250) { share } else { share.powi(4) };
        ((skewed * limit as f64) as usize).min(limit - 1)
    }
}

#[cfg(test)]
mod tests;
