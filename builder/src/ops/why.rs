//! What would run and why: `plan`, `--dry-run`, `why`.
//!
//! Knows plans and the store's last successes. Must never run anything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use crate::error::{Result, count};
use crate::key::TreeDigest;
use crate::ops::run::{Known, lane, look_up};
use crate::plan::{Difference, Plan, differences};
use crate::schedule::{DOWNLOADS, Lanes, Task, estimate};
use crate::store::Store;
use crate::tree::fs::scan;
use crate::tree::{RelPath, Tree};

/// Bytes of text that are told at once.
const PART: usize = 1 << 16;

/// Lines that are worth a thread.
const MANY: usize = 10_000;
/// Parts that are written before they are told.
const AHEAD: usize = 4;

/// A step that is not in the store, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Index into the plan.
    pub step: usize,
    /// It runs for sure; else an input may come out identical and stop it.
    pub certain: bool,
    /// What differs from the last success; nothing when there was none.
    pub differences: Option<Box<[Difference]>>,
    /// How long it took before.
    pub expected: Option<Duration>,
}

impl Missing {
    /// One clause: `never made before`, `source: 1f2e -> 9a8b`.
    pub fn reason(&self) -> Cow<'static, str> {
        match self.differences.as_deref() {
            None => "never made before".into(),
            Some([]) => "its output is no longer in the store".into(),
            Some([only]) => only.sentence().into(),
            Some([first, more @ ..]) => format!("{} (and {} more)", first.sentence(), more.len()).into(),
        }
    }

    /// What differs from the last success, if there was one.
    fn differences(&self) -> &[Difference] {
        self.differences.as_deref().unwrap_or_default()
    }
}

/// Every step that will or may run.
pub fn missing(plan: &Plan, store: &Store) -> Result<Vec<Missing>> {
    let Known { missing, .. } = look_up(plan, store)?;
    let mut runs = vec![false; plan.steps.len()];
    missing.iter().for_each(|&i| runs[i] = true);
    let subjects = missing.iter().map(|&i| (&*plan.steps[i].subject, plan.steps[i].kind));
    let before = store.last_successes(subjects.clone())?;
    let expected = store.histories(subjects)?;
    let told = missing.iter().enumerate().map(|(n, &i)| {
        let waits = || plan.steps[i].inputs.iter().any(|input| runs[input.step()]);
        let last = before.get(&n);
        Missing {
            step: i,
            certain: last.is_none() || !waits(),
            differences: last.map(|(_, old)| differences(old, &plan.parts(i)).into()),
            expected: expected.get(&n).copied(),
        }
    });
    Ok(told.collect())
}

/// The text of `plan`, a line a step and the sum, told in parts: that of
/// thousands of recipes has megabytes, and one thread writes what the other
/// tells.
pub fn plan_text(plan: &Plan, missing: &[Missing], jobs: usize, mut tell: impl FnMut(&str)) {
    if missing.len() < MANY {
        lines(plan, missing, |part| tell(&part));
    } else {
        std::thread::scope(|scope| {
            let (to, from) = mpsc::sync_channel(AHEAD);
            // Nobody listens any more only when telling panicked.
            scope.spawn(move || lines(plan, missing, |part| drop(to.send(part))));
            from.iter().for_each(|part| tell(&part));
        });
    }
    tell(&sum(plan, missing, jobs));
}

/// A line a step, in parts.
fn lines(plan: &Plan, missing: &[Missing], mut tell: impl FnMut(String)) {
    let mut out = String::new();
    for m in missing {
        let step = &plan.steps[m.step];
        // By hand: that of thousands of recipes has as many lines as a novel has words.
        padded(&mut out, if m.certain { "will" } else { "may" }, 4);
        padded(&mut out, step.kind.word(), 8);
        padded(&mut out, &step.package, 28);
        out.push_str(&m.reason());
        if let Some(expected) = m.expected {
            let _ = write!(out, " [{:.2} s]", expected.as_secs_f64());
        }
        out.push('\n');
        if out.len() > PART {
            let room = String::with_capacity(out.capacity());
            tell(std::mem::replace(&mut out, room));
        }
    }
    tell(out);
}

/// The last line.
fn sum(plan: &Plan, missing: &[Missing], jobs: usize) -> String {
    if missing.is_empty() {
        return "nothing to do: everything is in the store\n".to_owned();
    }
    let certain = missing.iter().filter(|m| m.certain).count();
    let about = || about(plan, missing, jobs).as_secs_f64();
    let time = match missing.iter().filter(|m| m.expected.is_none()).count() {
        0 => format!("about {:.1} s", about()),
        unknown if unknown == missing.len() => "none of them was timed before".to_owned(),
        unknown => format!("about {:.1} s and {unknown} that were never timed", about()),
    };
    format!("{} will run, {} may; {time}\n", count(certain, "step"), missing.len() - certain)
}

/// A word, filled up to a width in characters, and a space.
fn padded(out: &mut String, word: &str, width: usize) {
    const SPACES: &str = "                                ";
    out.push_str(word);
    let wide = if word.is_ascii() { word.len() } else { word.chars().count() };
    let mut left = width.saturating_sub(wide) + 1;
    while left > 0 {
        let some = left.min(SPACES.len());
        out.push_str(&SPACES[..some]);
        left -= some;
    }
}

/// How long what was timed before takes: no shorter than its longest chain.
fn about(plan: &Plan, missing: &[Missing], jobs: usize) -> Duration {
    let place: BTreeMap<usize, usize> = missing.iter().enumerate().map(|(t, m)| (m.step, t)).collect();
    let task = |m: &Missing| {
        let step = &plan.steps[m.step];
        Task {
            needs: step.inputs.iter().filter_map(|input| place.get(&input.step()).copied()).collect(),
            expected: m.expected.unwrap_or_default(),
            lane: lane(step.kind),
            exclusive: false,
            memory: 0,
        }
    };
    let tasks: Vec<Task> = missing.iter().map(task).collect();
    estimate(&tasks, &Lanes { jobs, downloads: DOWNLOADS, memory: u64::MAX, fail_fast: false })
}

/// `plan` and `why` for other programs: a list of steps with every reason.
pub fn json(plan: &Plan, missing: &[Missing]) -> serde_json::Value {
    let steps: Vec<serde_json::Value> = missing
        .iter()
        .map(|m| {
            let step = &plan.steps[m.step];
            let differences: Vec<serde_json::Value> = m
                .differences()
                .iter()
                .map(|d| serde_json::json!({ "part": d.name, "before": d.before, "now": d.now }))
                .collect();
            serde_json::json!({
                "package": step.package,
                "step": step.kind.word(),
                "certain": m.certain,
                "reason": m.reason(),
                "differences": differences,
                "expected_seconds": m.expected.map(|e| e.as_secs_f64()),
            })
        })
        .collect();
    serde_json::json!({ "format": 1, "steps": steps })
}

/// The text of `why`: for each step that would run, every difference; causes
/// that lie in an input are followed by that input's own line.
pub fn why_text(plan: &Plan, missing: &[Missing], store: &Store) -> String {
    let mut out = String::new();
    for m in missing {
        let step = &plan.steps[m.step];
        let verb = if m.certain { "would run" } else { "may run" };
        let _ = writeln!(out, "{} of {} {verb}:", step.kind.word(), step.package);
        if m.differences().is_empty() {
            let _ = writeln!(out, "  {}", m.reason());
        }
        for difference in m.differences() {
            let _ = writeln!(out, "  {}", difference.sentence());
            for line in changed_files(difference, store) {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    if missing.is_empty() {
        out.push_str("nothing would run: everything is in the store\n");
    }
    out
}

/// Files a list of changes names one by one.
const MOST_FILES: usize = 10;

/// For a path source: which files differ, while the store still has both
/// trees.
fn changed_files(difference: &Difference, store: &Store) -> Vec<String> {
    if difference.name != "path source" {
        return Vec::new();
    }
    let tree = |hex: &Option<String>| {
        let digest = TreeDigest(hex.as_ref()?.parse().ok()?);
        scan(&store.tree_path(&digest)).ok()
    };
    let (Some(before), Some(now)) = (tree(&difference.before), tree(&difference.now)) else {
        return Vec::new();
    };
    let mut lines = file_changes(&before, &now);
    if lines.len() > MOST_FILES {
        let more = lines.len() - MOST_FILES;
        lines.truncate(MOST_FILES);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// `changed src/a.py`, `new b.py`, `gone c.py`, sorted by path.
fn file_changes(before: &Tree, now: &Tree) -> Vec<String> {
    let mut all: Vec<(&RelPath, &str)> = Vec::new();
    for (path, entry) in &now.entries {
        match before.entries.get(path) {
            None => all.push((path, "new")),
            Some(old) if old != entry => all.push((path, "changed")),
            Some(_) => {}
        }
    }
    all.extend(before.entries.keys().filter(|p| !now.entries.contains_key(p)).map(|p| (p, "gone")));
    all.sort();
    all.into_iter().map(|(path, word)| format!("{word} {path}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::StepKind;
    use crate::plan::{Places, Step};
    use crate::tree::Entry;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let entry = |text: &str| Entry::File {
            digest: crate::key::Digest::of(text.as_bytes()),
            size: text.len() as u64,
            executable: false,
        };
        let entries = files.iter().map(|(path, text)| (RelPath::new(*path).unwrap(), entry(text)));
        Tree { entries: entries.collect() }
    }

    #[test]
    fn changed_new_and_gone_files_are_named() {
        let before = tree(&[("a.py", "1"), ("b.py", "1"), ("d.py", "1")]);
        let now = tree(&[("a.py", "1"), ("b.py", "2"), ("c.py", "1")]);
        assert_eq!(file_changes(&before, &now), ["changed b.py", "new c.py", "gone d.py"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_words_need() {
        let line = |words: [&str; 2]| {
            let mut out = String::new();
            words.iter().for_each(|word| padded(&mut out, word, 4));
            out
        };
        assert_eq!(line(["will", "ab"]), "will ab   ");
        assert_eq!(line(["may", "larger"]), "may  larger ");
        assert_eq!(line(["\u{e9}t\u{e9}", ""]), "\u{e9}t\u{e9}       ");
    }

    #[test]
    fn thousands_of_lines_come_in_their_order() {
        let step = |n: usize| {
            let mut spec = crate::key::KeyWriter::new();
            spec.part("name", n.to_string());
            let kind = if n.is_multiple_of(3) { StepKind::Build } else { StepKind::Verify };
            Step::made_up(recipes::set::RecipeId(0), kind, (spec, Vec::new()))
        };
        let told = |many: usize| {
            let plan = Plan { steps: (0..many).map(step).collect(), goals: vec![], of: Places::default() };
            let missing = |step| Missing { step, certain: true, differences: None, expected: None };
            let missing: Vec<Missing> = (0..many).map(missing).collect();
            let mut parts: Vec<String> = Vec::new();
            plan_text(&plan, &missing, 2, |part| parts.push(part.to_owned()));
            (parts.len(), parts.concat())
        };
        for many in [MANY - 1, MANY] {
            let (parts, text) = told(many);
            assert!(parts > 3, "{parts}");
            assert_eq!(text.lines().count(), many + 1);
            let build = |n: &usize| n.is_multiple_of(3);
            let said = text.lines().take(many).map(|line| line.starts_with("will build    toy 1 "));
            assert!(said.eq((0..many).map(|n| build(&n))));
            assert!(
                text.ends_with(&format!("{many} steps will run, 0 may; none of them was timed before\n"))
            );
        }
    }

    #[test]
    fn a_chain_takes_as_long_however_many_could_work() {
        let step = |name: &str, inputs: &[usize]| {
            let mut spec = crate::key::KeyWriter::new();
            spec.part("name", name);
            let input = |i: &usize| crate::plan::Input::new(*i, crate::plan::Role::Wheel);
            Step::made_up(
                recipes::set::RecipeId(0),
                StepKind::Build,
                (spec, inputs.iter().map(input).collect()),
            )
        };
        let plan = Plan {
            steps: vec![step("a", &[]), step("b", &[0]), step("c", &[])],
            goals: vec![1, 2],
            of: Places::default(),
        };
        let missing = |step| Missing {
            step,
            certain: true,
            differences: Some([].into()),
            expected: Some(Duration::from_secs(10)),
        };
        let text = |steps: &[usize]| {
            let missing: Vec<Missing> = steps.iter().map(|step| missing(*step)).collect();
            let mut text = String::new();
            plan_text(&plan, &missing, 2, |part| text.push_str(part));
            text.lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(text(&[0, 1]), "2 steps will run, 0 may; about 20.0 s");
        assert_eq!(text(&[0, 2]), "2 steps will run, 0 may; about 10.0 s");
    }
}
