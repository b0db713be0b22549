//! The command line of `cargo xtask bench`.
//!
//! Knows words and defaults. Must never run anything.

use std::path::{Path, PathBuf};

/// What `cargo xtask bench --help` prints.
pub const HELP: &str = "\
cargo xtask bench [OPTIONS]   the corpus, with wheelwright and with its peers, in the same rounds

  --quick             three packages, one round; without the peers where they are not prepared
  --set pure|native   which part of the corpus [pure]
  --skip NAME,...     packages to leave out
  --rounds N          rounds [3]
  --jobs N            builds at once, on both sides [2]
  --lines LINE,...    the referee's lines [all of them]
  --peers DIR         what `peers.py prepare DIR` made [target/bench/peers]
  --referee FILE      peers.py [../shared/corpus/bench/peers.py beside this workspace]
  --work DIR          parent of the temporary folder, best on a tmpfs; it stays after a Ctrl-C [/dev/shm]
  --wheelwright FILE  the program to measure [a release build of this workspace]
  --json FILE         the raw numbers [target/bench/bench.json]
  --into FILE         a Markdown file whose section between the bench marks is replaced";

/// The packages of `--quick`: of three backends' families the smallest.
pub const QUICK: [&str; 3] = ["mdurl", "h11", "toolz"];

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The smoke test.
    pub quick: bool,
    /// `pure` or `native`.
    pub set: String,
    /// Names to leave out.
    pub skip: String,
    /// How often all lines run.
    pub rounds: usize,
    /// Builds at once.
    pub jobs: String,
    /// The referee's lines; empty for all of them.
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
            set: "pure".to_owned(),
            skip: String::new(),
            rounds: 3,
            jobs: "2".to_owned(),
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
            if *word == "--quick" {
                (options.quick, options.rounds) = (true, 1);
                continue;
            }
            let value =
                words.next().ok_or_else(|| format!("`{word}` is unknown or has no value\n\n{HELP}"))?;
            options.take(word, value)?;
        }
        Ok(options)
    }

    fn take(&mut self, word: &str, value: &str) -> Result<(), String> {
        let path = || std::path::absolute(value).map_err(|e| format!("`{value}` is no path: {e}"));
        match word {
            "--set" if ["pure", "native"].contains(&value) => value.clone_into(&mut self.set),
            "--skip" => value.clone_into(&mut self.skip),
            "--jobs" => value.clone_into(&mut self.jobs),
            "--lines" => value.clone_into(&mut self.lines),
            "--rounds" => {
                self.rounds = value.parse().map_err(|_| format!("`--rounds {value}` is no number"))?;
            }
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

    /// Whether a package is left out.
    pub fn skips(&self, name: &str) -> bool {
        self.skip.split(',').any(|skipped| skipped == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_refused() {
        let parse = |words: &[&str]| Options::parse(words, Path::new("/root"));
        let options = parse(&["--skip", "numpy,contourpy", "--set", "native", "--quick"]).unwrap();
        assert!(options.skips("numpy") && !options.skips("num"));
        assert_eq!((options.set.as_str(), options.rounds), ("native", 1));
        assert_eq!(options.peers, Path::new("/root/target/bench/peers"));
        for bad in [&["--set", "all"][..], &["--rounds", "many"], &["--rounds"], &["--loud", "very"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
