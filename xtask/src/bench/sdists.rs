//! Tiny sdists, as real as they are small: a module, its metadata, and a build
//! backend, in the shares in which the corpus uses backends.
//!
//! Knows what each backend wants to see in an sdist. Must never touch the
//! disk, nor depend on anything but its seed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use recipes::recipe::Recipe;
use sha2::{Digest as _, Sha256};

use super::ours::EPOCH;

/// A build backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    Setuptools,
    Flit,
    Hatchling,
    Poetry,
    Pdm,
}

impl Backend {
    pub const ALL: [Self; 5] = [Self::Setuptools, Self::Flit, Self::Hatchling, Self::Poetry, Self::Pdm];

    /// The project that brings it.
    pub fn project(self) -> &'static str {
        match self {
            Self::Setuptools => "setuptools",
            Self::Flit => "flit-core",
            Self::Hatchling => "hatchling",
            Self::Poetry => "poetry-core",
            Self::Pdm => "pdm-backend",
        }
    }

    /// As projects of the corpus require it.
    pub fn requirement(self) -> &'static str {
        match self {
            Self::Setuptools => "setuptools>=61.0",
            Self::Flit => "flit_core<4,>=3.11",
            Self::Hatchling => "hatchling",
            Self::Poetry => "poetry-core>=2.0.0",
            Self::Pdm => "pdm-backend",
        }
    }

    /// `build-backend`.
    pub fn object(self) -> &'static str {
        match self {
            Self::Setuptools => "setuptools.build_meta",
            Self::Flit => "flit_core.buildapi",
            Self::Hatchling => "hatchling.build",
            Self::Poetry => "poetry.core.masonry.api",
            Self::Pdm => "pdm.backend",
        }
    }

    /// Its own table: which file is the project.
    fn table(self, module: &str) -> String {
        match self {
            Self::Setuptools => format!("[tool.setuptools]\npy-modules = [\"{module}\"]\n"),
            Self::Flit => format!("[tool.flit.module]\nname = \"{module}\"\n"),
            Self::Hatchling => {
                format!("[tool.hatch.build.targets.wheel]\nonly-include = [\"{module}.py\"]\n")
            }
            Self::Poetry => format!("[tool.poetry]\npackages = [{{ include = \"{module}.py\" }}]\n"),
            Self::Pdm => format!("[tool.pdm.build]\nincludes = [\"{module}.py\"]\n"),
        }
    }
}

/// How many recipes of the corpus use each backend: the first of these that a
/// recipe's build system names.
pub fn shares<'a>(corpus: impl Iterator<Item = &'a Recipe>) -> BTreeMap<Backend, usize> {
    let mut shares = BTreeMap::new();
    for recipe in corpus {
        let names: Vec<String> =
            recipe.build_system.iter().map(|d| d.requirement.name().to_string()).collect();
        if let Some(backend) = Backend::ALL.into_iter().find(|b| names.iter().any(|n| n == b.project())) {
            *shares.entry(backend).or_default() += 1;
        }
    }
    shares
}

/// One project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub name: String,
    pub version: String,
    pub backend: Backend,
    pub dependencies: Vec<String>,
    /// Its module's text.
    code: String,
}

/// Numbers that depend on the seed alone (splitmix64).
struct Dice(u64);

impl Dice {
    /// One of `0..below`.
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below.max(1) as u64).unwrap_or(0)
    }
}

/// `count` projects named `PREFIX-0001` and on. One in eight depends on one or
/// two that came before it.
pub fn projects(
    prefix: &str,
    shares: &BTreeMap<Backend, usize>,
    (count, seed): (usize, u64),
) -> Vec<Project> {
    let mut dice = Dice(seed);
    let mut backends = quotas(shares, count);
    for at in (1..backends.len()).rev() {
        backends.swap(at, dice.roll(at + 1));
    }
    let mut made: Vec<Project> = Vec::new();
    for (at, backend) in backends.into_iter().enumerate() {
        let name = format!("{prefix}-{:04}", at + 1);
        let version = format!("{}.{}.{}", dice.roll(5), 1 + dice.roll(20), dice.roll(10));
        let mut dependencies = Vec::new();
        if at > 0 && dice.roll(8) == 0 {
            for _ in 0..=dice.roll(2) {
                dependencies.push(made[dice.roll(at)].name.clone());
            }
            dependencies.sort();
            dependencies.dedup();
        }
        let code = code(&name, &version, 1 + dice.roll(6));
        made.push(Project { name, version, backend, dependencies, code });
    }
    made
}

/// As many of each backend as its share of `count` says; what rounding leaves
/// goes to the largest remainders.
fn quotas(shares: &BTreeMap<Backend, usize>, count: usize) -> Vec<Backend> {
    let total = shares.values().sum::<usize>().max(1);
    let mut parts: Vec<(Backend, usize, usize)> =
        shares.iter().map(|(b, share)| (*b, share * count / total, share * count % total)).collect();
    let given: usize = parts.iter().map(|(_, whole, _)| whole).sum();
    parts.sort_by_key(|(backend, _, rest)| (std::cmp::Reverse(*rest), *backend));
    for part in parts.iter_mut().take(count - given) {
        part.1 += 1;
    }
    parts.sort();
    parts.into_iter().flat_map(|(backend, whole, _)| std::iter::repeat_n(backend, whole)).collect()
}

/// About `count` of these, in the same shares.
pub fn sample(projects: &[Project], count: usize) -> Vec<&Project> {
    let mut sorted: Vec<&Project> = projects.iter().collect();
    sorted.sort_by_key(|project| project.backend);
    let count = count.min(sorted.len());
    (0..count).map(|at| sorted[at * sorted.len() / count]).collect()
}

fn code(name: &str, version: &str, functions: usize) -> String {
    let mut text = format!("\"\"\"The module of {name}.\"\"\"\n\n__version__ = \"{version}\"\n");
    for number in 0..functions {
        let _ = write!(
            text,
            "\n\ndef step_{number}(value):\n    \"\"\"Step {number} of {name}.\"\"\"\n    return value * {} + {number}\n",
            number + 2
        );
    }
    text
}

impl Project {
    fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    /// `NAME-VERSION`, the sdist's folder.
    fn stem(&self) -> String {
        format!("{}-{}", self.module(), self.version)
    }

    /// The sdist's name.
    pub fn file(&self) -> String {
        format!("{}.tar.gz", self.stem())
    }

    /// The files of the sdist.
    fn files(&self) -> [(String, String); 4] {
        let Self { name, version, .. } = self;
        let quoted: Vec<String> = self.dependencies.iter().map(|d| format!("\"{d}\"")).collect();
        let summary = format!("The tiny project {name}");
        let pyproject = format!(
            "[build-system]\nrequires = [\"{}\"]\nbuild-backend = \"{}\"\n\n[project]\nname = \"{name}\"\n\
             version = \"{version}\"\ndescription = \"{summary}\"\nreadme = \"README.md\"\n\
             requires-python = \">=3.8\"\ndependencies = [{}]\n\n{}",
            self.backend.requirement(),
            self.backend.object(),
            quoted.join(", "),
            self.backend.table(&self.module()),
        );
        let mut info = format!(
            "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\nRequires-Python: >=3.8\n"
        );
        for dependency in &self.dependencies {
            let _ = writeln!(info, "Requires-Dist: {dependency}");
        }
        info.push_str("Description-Content-Type: text/markdown\n\n");
        let readme = format!("# {name}\n\n{summary}.\n");
        info.push_str(&readme);
        [
            ("PKG-INFO".to_owned(), info),
            ("README.md".to_owned(), readme),
            (format!("{}.py", self.module()), self.code.clone()),
            ("pyproject.toml".to_owned(), pyproject),
        ]
    }

    /// The sdist: a tar.gz.
    pub fn sdist(&self) -> std::io::Result<Vec<u8>> {
        let mtime = u32::try_from(EPOCH).unwrap_or(0);
        let zip = GzBuilder::new().mtime(mtime).write(Vec::new(), Compression::default());
        let mut tar = tar::Builder::new(zip);
        for (name, text) in self.files() {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(EPOCH);
            tar.append_data(&mut header, format!("{}/{name}", self.stem()), text.as_bytes())?;
        }
        let mut zip = tar.into_inner()?;
        zip.flush()?;
        zip.finish()
    }

    /// Its recipe, its sdist at this address.
    pub fn recipe(&self, hex: &str, address: &str) -> String {
        let quoted: Vec<String> = self.dependencies.iter().map(|d| format!("\"{d}\"")).collect();
        format!(
            "pname = \"{}\"\nversion = \"{}\"\nbuild-system = [\"{}\"]\ndependencies = [{}]\n\n\
             [source]\nurl = \"{address}\"\nhash = \"{hex}\"\n",
            self.name,
            self.version,
            self.backend.requirement(),
            quoted.join(", "),
        )
    }

    /// Its line in the referee's table of packages, below [`HEAD`].
    pub fn row(&self, hex: &str) -> String {
        let runtime = self.dependencies.join("; ");
        let cells: [&str; 10] = [
            &self.name,
            &self.version,
            &self.file(),
            hex,
            self.backend.object(),
            self.backend.requirement(),
            "",
            &runtime,
            "pure",
            &format!("{}-py3-none-any.whl", self.stem()),
        ];
        cells.join("\t")
    }
}

/// The head of the referee's table of packages.
pub const HEAD: &str =
    "name\tversion\tsdist\tsha256\tbackend\tbuild_requires\tget_requires\truntime_requires\tkind\twheel";

/// The sha256 of some bytes, as hex.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn some(count: usize) -> Vec<Project> {
        let shares = Backend::ALL.into_iter().zip([26, 18, 14, 3, 3]).collect();
        projects("tiny", &shares, (count, 7))
    }

    fn counts<'a>(projects: impl IntoIterator<Item = &'a Project>) -> BTreeMap<Backend, usize> {
        let mut counts = BTreeMap::new();
        for project in projects {
            *counts.entry(project.backend).or_default() += 1;
        }
        counts
    }

    #[test]
    fn the_seed_decides_everything() {
        assert_eq!(some(40), some(40));
        assert_ne!(some(40), projects("tiny", &counts(&some(40)), (40, 8)));
    }

    #[test]
    fn backends_come_in_the_shares_of_the_corpus() {
        let all = some(1000);
        assert_eq!(counts(&all).into_values().collect::<Vec<_>>(), [406, 281, 219, 47, 47]);
        let part = sample(&all, 100);
        assert_eq!(part.len(), 100);
        for (backend, count) in counts(part) {
            let tenth = counts(&all)[&backend] as f64 / 10.0;
            assert!((count as f64 - tenth).abs() < 1.0, "{backend:?}: {count}");
        }
        assert_eq!(sample(&all[..3], 100).len(), 3);
    }

    #[test]
    fn a_few_depend_on_what_came_before() {
        let all = some(400);
        let with: Vec<&Project> = all.iter().filter(|p| !p.dependencies.is_empty()).collect();
        assert!((20..100).contains(&with.len()), "{}", with.len());
        for project in with {
            assert!(project.dependencies.iter().all(|d| *d < project.name), "{project:?}");
        }
    }

    #[test]
    fn an_sdist_holds_what_pep_517_wants_below_one_folder() {
        let project = &some(9)[8];
        let mut names = Vec::new();
        let bytes = project.sdist().unwrap();
        for entry in tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..])).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            if name.ends_with("PKG-INFO") {
                assert!(text.contains("\nName: tiny-0009\n"), "{text}");
            }
            names.push(name);
        }
        let stem = format!("tiny_0009-{}", project.version);
        let files = ["PKG-INFO", "README.md", "tiny_0009.py", "pyproject.toml"];
        assert_eq!(names, files.map(|file| format!("{stem}/{file}")));
        assert_eq!(project.sdist().unwrap(), bytes);
        assert_eq!(project.row(&hex(&bytes)).split('\t').count(), HEAD.split('\t').count());
    }

    #[test]
    fn hashes_are_hex() {
        assert!(hex(b"").starts_with("e3b0c44298fc1c14"));
    }
}
