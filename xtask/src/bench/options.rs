//! The command line of `cargo xtask bench`.
//!
//! Knows words and defaults. Must never run anything.

use std::path::{Path, PathBuf};

/// What `cargo xtask bench --help` prints.
pub const HELP: &str = "\
cargo xtask bench [OPTIONS]   wheelwright and its peers on the same packages, in the same rounds

  --parts PART,...    what to measure [pure,small,tiny,profile]
            pure      the pure sdists of the corpus, beside the referee's floors and peers
            native    those with extensions: with the interpreter's own C flags, and with our defaults
            small     nothing to do, one package changed, environments, the price of a cell
            tiny      many tiny sdists, beside `uv build` on a sample of them
            profile   where the time of the pure set goes
  --profile           the same as --parts profile
  --quick             three packages of the pure set, a few tiny ones, one round; without the peers
                      where they are not prepared
  --skip NAME,...     packages of the corpus to leave out
  --rounds N          rounds of each part [5; native: 3]
  --jobs N            builds at once, on both sides [2]
  --tiny N            how many tiny sdists [1000; with --quick: 10]
  --sample N          how many of them the peers build; compared by the package [100]
  --lines LINE,...    the referee's lines [pure: all of them; native: fresh,uv-build]
  --peers DIR         what `peers.py prepare DIR --set all` made [target/bench/peers]
  --referee FILE      peers.py [../shared/corpus/bench/peers.py beside this workspace]
  --work DIR          parent of the temporary folder, best on a tmpfs; it stays after a Ctrl-C [/dev/shm]
  --wheelwright FILE  the program to measure [a release build of this workspace]
  --json FILE         the raw numbers and the aims [target/bench/bench.json]
  --into FILE         a Markdown file whose sections between the marks of the parts are replaced";

/// The packages of `--quick`: of three backends' families the smallest.
pub const QUICK: [&str; 3] = ["mdurl", "h11", "toolz"];

/// One of the things that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The pure set.
    Pure,
    /// The native set.
    Native,
    /// Lines of milliseconds.
    Small,
    /// Many tiny sdists.
    Tiny,
    /// Where the time goes.
    Profile,
}

impl Part {
    const ALL: [Self; 5] = [Self::Pure, Self::Native, Self::Small, Self::Tiny, Self::Profile];

    /// Its word, in options and marks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Native => "native",
            Self::Small => "small",
            Self::Tiny => "tiny",
            Self::Profile => "profile",
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The smoke test.
    pub quick: bool,
    /// What to measure, in this order.
    pub parts: Vec<Part>,
    /// Names to leave out.
    pub skip: String,
    /// How often all lines run, if it was said.
    pub rounds: Option<usize>,
    /// Builds at once.
    pub jobs: String,
    /// Tiny sdists, if it was said.
    pub tiny: Option<usize>,
    /// How many of them the peers build.
    pub sample: usize,
    /// The referee's lines; empty for those that a part usually has.
    pub lines: String,
    /// The referee's prepared folder.
    pub peers: PathBuf,
    /// The referee.
    pub referee: PathBuf,
    /// Where the temporary folder goes.
    pub work: PathBuf,
    /// The program, unless it is to be built.
    pub wheelwright: Option<PathBuf>,
    /// The raw numbers.
    pub json: PathBuf,
    /// The page to renew.
    pub into: Option<PathBuf>,
}

impl Options {
    /// Reads the words after `bench`; paths are made absolute.
    pub fn parse(words: &[&str], root: &Path) -> Result<Self, String> {
        let ours = root.join("target/bench");
        let mut options = Self {
            quick: false,
            parts: vec![Part::Pure, Part::Small, Part::Tiny, Part::Profile],
            skip: String::new(),
            rounds: None,
            jobs: "2".to_owned(),
            tiny: None,
            sample: 100,
            lines: String::new(),
            peers: ours.join("peers"),
            referee: root.join("../shared/corpus/bench/peers.py"),
            work: PathBuf::from("/dev/shm"),
            wheelwright: None,
            json: ours.join("bench.json"),
            into: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => options.quick = true,
                "--profile" => options.parts = vec![Part::Profile],
                _ => {
                    let value = words
                        .next()
                        .ok_or_else(|| format!("`{word}` is unknown or has no value\n\n{HELP}"))?;
                    options.take(word, value)?;
                }
            }
        }
        Ok(options)
    }

    fn take(&mut self, word: &str, value: &str) -> Result<(), String> {
        let path = || std::path::absolute(value).map_err(|e| format!("`{value}` is no path: {e}"));
        let number = || match value.parse() {
            Ok(0) | Err(_) => Err(format!("`{word} {value}` is no number of at least 1")),
            Ok(number) => Ok(number),
        };
        match word {
            "--parts" => self.parts = parts(value)?,
            "--skip" => value.clone_into(&mut self.skip),
            "--jobs" => self.jobs = number()?.to_string(),
            "--lines" => value.clone_into(&mut self.lines),
            "--rounds" => self.rounds = Some(number()?),
            "--tiny" => self.tiny = Some(number()?),
            "--sample" => self.sample = number()?,
            "--peers" => self.peers = path()?,
            "--referee" => self.referee = path()?,
            "--work" => self.work = path()?,
            "--wheelwright" => self.wheelwright = Some(path()?),
            "--json" => self.json = path()?,
            "--into" => self.into = Some(path()?),
            _ => return Err(format!("`{word} {value}` is not understood\n\n{HELP}")),
        }
        Ok(())
    }

    /// Rounds of a part.
    pub fn rounds(&self, part: Part) -> usize {
        let usual = match part {
            _ if self.quick => 1,
            Part::Native => 3,
            _ => 5,
        };
        self.rounds.unwrap_or(usual)
    }

    /// How many tiny sdists there are to be.
    pub fn tiny(&self) -> usize {
        self.tiny.unwrap_or(if self.quick { 10 } else { 1000 })
    }

    /// Whether a package is left out.
    pub fn skips(&self, name: &str) -> bool {
        let dropped = self.skip.split(',').any(|skipped| skipped == name);
        dropped || (self.quick && !QUICK.contains(&name))
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let part = |word: &str| {
        let found = Part::ALL.into_iter().find(|part| part.word() == word);
        found.ok_or_else(|| {
            format!("there is no part `{word}`\nhint: {}", Part::ALL.map(Part::word).join(", "))
        })
    };
    text.split(',').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse(words, Path::new("/root"))
    }

    #[test]
    fn words_are_read_or_refused() {
        let options = parse(&["--skip", "numpy,contourpy", "--parts", "native,tiny"]).unwrap();
        assert!(options.skips("numpy") && !options.skips("num"));
        assert_eq!(options.parts, [Part::Native, Part::Tiny]);
        assert_eq!(options.peers, Path::new("/root/target/bench/peers"));
        for bad in [
            &["--parts", "all"][..],
            &["--rounds", "many"],
            &["--tiny", "0"],
            &["--rounds"],
            &["--loud", "very"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_smoke_test_is_small_unless_told_otherwise() {
        let quick = parse(&["--quick"]).unwrap();
        assert_eq!((quick.rounds(Part::Native), quick.tiny()), (1, 10));
        assert!(quick.skips("numpy") && !quick.skips(QUICK[0]));
        let told = parse(&["--quick", "--rounds", "2", "--tiny", "3"]).unwrap();
        assert_eq!((told.rounds(Part::Pure), told.tiny()), (2, 3));
        let usual = parse(&[]).unwrap();
        assert_eq!((usual.rounds(Part::Pure), usual.rounds(Part::Native), usual.tiny()), (5, 3, 1000));
    }

    #[test]
    fn the_help_has_every_part_and_option() {
        for part in Part::ALL {
            assert!(HELP.contains(&format!("            {}  ", part.word())), "{part:?}");
        }
        let source = include_str!("options.rs").split("mod tests").next().unwrap();
        let words = source.split('"').filter(|w| w.starts_with("--") && w.len() > 2 && !w.contains(' '));
        for word in words {
            assert!(HELP.contains(&format!("  {word} ")), "{word}");
        }
    }
}
