//! What a run looks like while it runs: live lines on a terminal, plain lines
//! elsewhere.
//!
//! Knows events and the terminal. Must never know what a step does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::{Ended, Event, StepKind};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Failures only.
    Quiet,
    /// What ran.
    Normal,
    /// What was reused, too.
    Verbose,
}

/// Prints the events of one run to standard error.
pub struct Progress {
    talk: Talk,
    live: Option<Live>,
    started: Instant,
    stopped: BTreeSet<String>,
}

struct Live {
    lines: MultiProgress,
    total: ProgressBar,
    running: BTreeMap<usize, Line>,
    left: Duration,
    workers: u32,
}

/// The line of one running step.
struct Line {
    bar: ProgressBar,
    /// What it says from the start.
    text: String,
    /// Since the run began.
    began: Duration,
    /// What it and the longest chain behind it were expected to take.
    path: Duration,
}

impl Live {
    /// How long the rest takes: all of it shared out, or the longest chain.
    fn rest(&self, now: Duration) -> Duration {
        let chains = self.running.values().map(|line| (line.began + line.path).saturating_sub(now));
        chains.max().unwrap_or_default().max(self.left / self.workers)
    }
}

impl Progress {
    /// `live` asks for moving lines: standard error is a terminal and not CI.
    pub fn new(talk: Talk, live: bool, workers: usize) -> Self {
        let live = (live && talk > Talk::Quiet).then(|| {
            let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            let total = lines.add(ProgressBar::new(0).with_style(bar_style()));
            Live {
                lines,
                total,
                running: BTreeMap::new(),
                left: Duration::ZERO,
                workers: u32::try_from(workers.max(1)).unwrap_or(u32::MAX),
            }
        });
        Self { talk, live, started: Instant::now(), stopped: BTreeSet::new() }
    }

    /// Takes in one event.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::Planned { steps, expected } => {
                if let Some(live) = &mut self.live {
                    live.total.set_length(*steps as u64);
                    live.left = *expected;
                }
            }
            Event::Started { step, package, kind, expected, path } => {
                self.began(*step, (package, *kind), (*expected, *path));
            }
            Event::Note { text, .. } => self.line(Talk::Normal, &format!("        note {text}")),
            Event::Bytes { step, done, total } => {
                if let Some(line) = self.live.as_ref().and_then(|live| live.running.get(step)) {
                    line.bar.set_message(format!("{} {}", line.text, amount(*done, *total)));
                }
            }
            Event::Finished { step, package, kind, outcome, took, expected, .. } => {
                self.advance(*step, *expected);
                self.ended(package, *kind, (outcome, *took));
            }
        }
    }

    /// Removes the moving lines.
    pub fn done(&mut self) {
        if let Some(live) = self.live.take() {
            let _ = live.lines.clear();
        }
    }

    /// Wall time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn began(
        &mut self,
        step: usize,
        (package, kind): (&str, StepKind),
        (expected, path): (Option<Duration>, Duration),
    ) {
        let Some(live) = &mut self.live else { return };
        let style = ProgressStyle::with_template("  {prefix:>8} {msg} {elapsed}")
            .expect("the template is a constant of ours");
        let about = expected.map_or_else(String::new, |e| format!(" (about {})", seconds(e)));
        // Told before it is drawn for the first time.
        let text = format!("{package}{about}");
        let bar = ProgressBar::hidden().with_style(style).with_prefix(kind.word()).with_message(text.clone());
        let bar = live.lines.insert_before(&live.total, bar);
        bar.enable_steady_tick(Duration::from_millis(250));
        live.running.insert(step, Line { bar, text, began: self.started.elapsed(), path });
    }

    /// One step less, ran or not: what is left falls by what it was expected
    /// to take, so that it is nothing at the end.
    fn advance(&mut self, step: usize, expected: Duration) {
        let now = self.started.elapsed();
        let Some(live) = &mut self.live else { return };
        if let Some(line) = live.running.remove(&step) {
            line.bar.finish_and_clear();
        }
        live.total.inc(1);
        live.left = live.left.saturating_sub(expected);
        live.total.set_message(format!("about {} left", seconds(live.rest(now))));
    }

    /// A log, whole, when everything is to be said.
    pub fn log(&self, text: &str) {
        for line in text.lines() {
            self.line(Talk::Verbose, &format!("        | {line}"));
        }
    }

    fn ended(&mut self, package: &str, kind: StepKind, (outcome, took): (&Ended, Duration)) {
        let time = seconds(took);
        match outcome {
            Ended::Done => self.line(talk_of(kind), &format!("{:>12} {package} {time}", past(kind))),
            Ended::Reused => self.line(Talk::Verbose, &format!("{:>12} {package} ({})", "kept", kind.word())),
            Ended::Identical => {
                // Where a rebuild stopped is told once for a package.
                let first = self.stopped.insert(package.to_owned());
                let least = if first { Talk::Normal } else { Talk::Verbose };
                self.line(least, &format!("{:>12} {package} ({}: same inputs)", "kept", kind.word()));
            }
            Ended::Failed(failure) => {
                // Quiet or not, the report at the end tells it whole.
                self.line(Talk::Normal, &format!("{:>12} {package}: {}", "FAILED", failure.message));
            }
            Ended::Stopped => {
                self.line(Talk::Normal, &format!("{:>12} {package} ({})", "stopped", kind.word()));
            }
            Ended::Skipped(_) | Ended::NotStarted => {
                self.line(Talk::Verbose, &format!("{:>12} {package} ({})", "skipped", kind.word()));
            }
        }
    }

    fn line(&self, least: Talk, text: &str) {
        if self.talk < least {
            return;
        }
        match &self.live {
            Some(live) => {
                let _ = live.lines.println(crate::error::printable(text));
            }
            None => super::print::talk(text),
        }
    }
}

/// One moving line for work that is counted.
pub struct Counting(ProgressBar);

impl Counting {
    /// `live` asks for it: else nothing is shown.
    pub fn new(live: bool, doing: &'static str) -> Self {
        let target = if live { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        Self(ProgressBar::with_draw_target(Some(0), target).with_style(bar_style()).with_message(doing))
    }

    /// So many of so many are done. Several threads may tell, in any order.
    pub fn see(&self, done: usize, all: usize) {
        self.0.set_length(all as u64);
        self.0.set_position(self.0.position().max(done as u64));
    }

    /// Removes the line.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// Steps a user asked for are told at once, our own steps only with `-v`.
fn talk_of(kind: StepKind) -> Talk {
    match kind {
        StepKind::Fetch | StepKind::Build | StepKind::Check => Talk::Normal,
        _ => Talk::Verbose,
    }
}

fn past(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Fetch => "fetched",
        StepKind::Source => "unpacked",
        StepKind::Build => "built",
        StepKind::Finish => "finished",
        StepKind::Install => "installed",
        StepKind::Verify => "verified",
        StepKind::Imports => "imported",
        StepKind::Check => "checked",
        StepKind::Env => "composed",
        StepKind::App => "wrapped",
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("  [{bar:30}] {pos}/{len} {elapsed} {msg}")
        .expect("the template is a constant of ours")
        .progress_chars("=> ")
}

/// `0.3 MB`, `3.4 of 12.0 MB`.
fn amount(done: u64, total: Option<u64>) -> String {
    let mega = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    match total {
        Some(total) => format!("{} of {} MB", mega(done), mega(total)),
        None => format!("{} MB", mega(done)),
    }
}

/// `0.42 s`, `12.3 s`, `4 min 05 s`.
pub fn seconds(time: Duration) -> String {
    let s = time.as_secs_f64();
    if s < 10.0 {
        format!("{s:.2} s")
    } else if s < 100.0 {
        format!("{s:.1} s")
    } else {
        format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_on_the_line_of_their_step() {
        let mut progress = Progress::new(Talk::Normal, true, 1);
        let event = Event::Started {
            step: 3,
            package: "numpy 2.0".into(),
            kind: StepKind::Fetch,
            expected: None,
            path: Duration::ZERO,
        };
        progress.see(&event);
        for (done, total, shown) in
            [(300_000, None, "numpy 2.0 0.3 MB"), (3_400_000, Some(12_000_000), "numpy 2.0 3.4 of 12.0 MB")]
        {
            progress.see(&Event::Bytes { step: 3, done, total });
            let live = progress.live.as_ref().expect("lines that move were asked for");
            assert_eq!(live.running[&3].bar.message(), shown);
        }
        // A step that is over, or that nobody saw begin, has no line.
        progress.see(&Event::Bytes { step: 4, done: 1, total: None });
        progress.done();
    }

    #[test]
    fn what_is_left_falls_to_nothing_with_and_without_a_history() {
        let ms = Duration::from_millis;
        let mut progress = Progress::new(Talk::Normal, true, 1);
        progress.see(&Event::Planned { steps: 3, expected: ms(900) });
        let ended = |step, outcome, expected| Event::Finished {
            step,
            package: "a 1".into(),
            kind: StepKind::Verify,
            outcome,
            took: ms(1),
            expected,
            log: None,
        };
        let left = |progress: &Progress| progress.live.as_ref().map(|live| live.left);
        let known = Event::Started {
            step: 0,
            package: "a 1".into(),
            kind: StepKind::Verify,
            expected: Some(ms(300)),
            path: ms(800),
        };
        progress.see(&known);
        progress.see(&ended(0, Ended::Done, ms(300)));
        assert_eq!(left(&progress), Some(ms(600)));
        let guessed = Event::Started {
            step: 1,
            package: "a 1".into(),
            kind: StepKind::Verify,
            expected: None,
            path: ms(200),
        };
        progress.see(&guessed);
        progress.see(&ended(1, Ended::Done, ms(200)));
        progress.see(&ended(2, Ended::Skipped(1), ms(400)));
        assert_eq!(left(&progress), Some(Duration::ZERO));
        progress.done();
    }

    #[test]
    fn what_is_left_is_no_shorter_than_a_chain() {
        let ms = Duration::from_millis;
        for (workers, rest) in [(1, ms(900)), (9, ms(700))] {
            let mut progress = Progress::new(Talk::Normal, true, workers);
            progress.see(&Event::Planned { steps: 3, expected: ms(900) });
            let kind = StepKind::Build;
            progress.see(&Event::Started {
                step: 0,
                package: "a 1".into(),
                kind,
                expected: None,
                path: ms(800),
            });
            let live = progress.live.as_ref().expect("lines that move were asked for");
            assert_eq!(live.rest(live.running[&0].began + ms(100)), rest, "{workers} workers");
            progress.done();
        }
    }
}
