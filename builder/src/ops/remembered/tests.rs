use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use recipes::diag::SourceFile;

use super::seen::Seen;
use super::wire::{AnswerV1, MemoV1, value};
use super::*;
use crate::event::StepKind;

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

fn file(path: &Path) -> Looked {
    let text = std::fs::read_to_string(path).unwrap();
    Looked::File(path.to_owned(), Arc::new(SourceFile { path: String::new(), text }))
}

fn folder(path: &Path) -> Looked {
    let entries = path.read_dir().unwrap().map(|e| e.unwrap());
    let mut all: Vec<_> =
        entries.map(|e| (e.file_name().into_string().unwrap(), e.file_type().unwrap())).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Looked::Folder(path.to_owned(), all)
}

/// What the tests look at: a file, a folder, and something that is not there.
fn looks(dir: &Path) -> Vec<Looked> {
    std::fs::create_dir(dir.join("r")).unwrap();
    std::fs::write(dir.join("r/a.toml"), "pname = 1").unwrap();
    vec![file(&dir.join("r/a.toml")), folder(&dir.join("r")), Looked::At(dir.join("wheelwright.toml"))]
}

fn hold(all: &[Seen]) -> Vec<bool> {
    all.iter().map(Seen::holds).collect()
}

#[test]
fn a_change_within_the_same_moment_and_of_the_same_size_is_seen() {
    for now in [SystemTime::now(), later()] {
        let dir = tempfile::tempdir().unwrap();
        let seen: Vec<Seen> = looks(dir.path()).iter().map(|l| Seen::of(l, now).unwrap()).collect();
        assert_eq!(hold(&seen), [true; 3]);
        std::fs::write(dir.path().join("r/a.toml"), "pname = 2").unwrap();
        assert_eq!(hold(&seen), [false, true, true], "as many bytes, others");
        std::fs::write(dir.path().join("r/b.toml"), "").unwrap();
        assert_eq!(hold(&seen), [false, false, true], "one more in the folder");
        std::fs::write(dir.path().join("wheelwright.toml"), "").unwrap();
        assert_eq!(hold(&seen), [false; 3], "what was not there is");
    }
}

#[test]
fn times_that_are_put_back_deceive_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    std::fs::write(&path, "one").unwrap();
    let seen = Seen::of(&file(&path), later()).unwrap();
    let modified = path.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "two").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert!(!seen.holds());
    // Another file in its place, of the same bytes: it is looked at again.
    std::fs::write(&path, "one").unwrap();
    let seen = Seen::of(&file(&path), later()).unwrap();
    std::fs::write(dir.path().join("new"), "one").unwrap();
    std::fs::rename(dir.path().join("new"), &path).unwrap();
    assert!(!seen.holds());
}

#[test]
fn what_changed_since_it_was_read_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let all = looks(dir.path());
    std::fs::write(dir.path().join("r/a.toml"), "pname = 2").unwrap();
    std::fs::write(dir.path().join("r/b.toml"), "").unwrap();
    let of = |look: &Looked, now| Seen::of(look, now);
    assert_eq!([of(&all[0], later()), of(&all[1], later())], [None, None]);
    // In doubt it is written down by what was read, and found to be another.
    let doubtful = [&all[0], &all[1]].map(|look| of(look, SystemTime::now()).unwrap());
    assert_eq!(hold(&doubtful), [false; 2]);
    // Of what was only looked at nothing else tells.
    assert_eq!(of(&Looked::At(dir.path().join("r")), SystemTime::now()), None);
    assert!(of(&Looked::At(dir.path().join("r")), later()).is_some());
    assert_eq!(of(&Looked::Odd, later()), None);
}

#[test]
fn what_was_in_doubt_is_settled_once_and_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let mut seen: Vec<Seen> = looks(dir.path()).iter().map(|l| Seen::of(l, now).unwrap()).collect();
    assert_eq!(seen.iter_mut().map(|s| s.settle(now)).collect::<Vec<_>>(), [false; 3]);
    assert_eq!(seen.iter_mut().map(|s| s.settle(later())).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(seen.iter_mut().map(|s| s.settle(later())).collect::<Vec<_>>(), [false; 3]);
    assert_eq!(hold(&seen), [true; 3]);
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
    ambient: Ambient,
    question: Question,
}

/// A store with an answer in it.
fn world() -> (World, MemoV1) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let mut ambient = Ambient::made_up(dir.path()).with_var("PATH", "/bin").with_now(SystemTime::now());
    ambient.exe = std::env::current_exe().ok();
    std::fs::create_dir(store.envs_dir().join("result-1")).unwrap();
    let target = store.envs_dir().join("result-1");
    std::os::unix::fs::symlink(&target, dir.path().join("result")).unwrap();
    let question = Question::of(&ambient, &"build").unwrap();
    let memo = MemoV1 {
        vars: ["PATH", "CI"].map(|name| (name.to_owned(), value(&ambient, name))).to_vec(),
        seen: looks(dir.path()).iter().map(|l| Seen::of(l, ambient.now).unwrap()).collect(),
        there: vec!["envs/result-1".into()],
        links: vec![(dir.path().join("result").display().to_string(), target.display().to_string())],
        answer: AnswerV1 {
            entries: vec![("hub 1.0".into(), "imports".into())],
            warnings: vec!["careful\n".into()],
            left_out: vec![("a".into(), "b".into())],
            start_up: vec![("hub 1.0".into(), "hub.pth".into())],
            place: None,
            makings: None,
        },
    };
    store.keep_answer(&question.0, &serde_json::to_string(&memo).unwrap()).unwrap();
    (World { dir, store, ambient, question }, memo)
}

impl World {
    fn recall(&self) -> Option<Answer> {
        self.question.recall(&self.ambient, &self.store)
    }
}

#[test]
fn an_answer_is_what_was_told() {
    let (world, memo) = world();
    let answer = world.recall().unwrap();
    assert_eq!(answer.report.entries[0].package, "hub 1.0");
    assert_eq!(
        (answer.report.entries[0].kind, &answer.report.entries[0].ended),
        (StepKind::Imports, &Ended::Reused)
    );
    assert_eq!(answer.report.results, [world.dir.path().join("result")]);
    assert_eq!((&answer.warnings, &answer.left_out), (&memo.answer.warnings, &memo.answer.left_out));
    assert_eq!(answer.report.start_up, memo.answer.start_up);
    // Later its doubts are gone, and it is the same.
    let later = World { ambient: world.ambient.clone().with_now(later()), ..world };
    assert_eq!(later.recall().unwrap(), answer);
    let kept: MemoV1 =
        serde_json::from_str(&later.store.answer(&later.question.0).unwrap().unwrap()).unwrap();
    assert_ne!(kept.seen, memo.seen);
    assert_eq!(later.recall().unwrap(), answer);
}

/// Something that keeps an answer from being given.
type Change = (&'static str, fn(&mut World));

#[test]
fn whatever_changes_is_no_answer() {
    let changes: &[Change] = &[
        ("a variable that was asked for", |w| w.ambient = w.ambient.clone().with_var("PATH", "/usr/bin")),
        ("one that was not set", |w| w.ambient = w.ambient.clone().with_var("CI", "")),
        ("a recipe", |w| std::fs::write(w.dir.path().join("r/a.toml"), "pname = 2").unwrap()),
        ("a recipe less", |w| std::fs::remove_file(w.dir.path().join("r/a.toml")).unwrap()),
        ("a recipe more", |w| std::fs::write(w.dir.path().join("r/b.toml"), "").unwrap()),
        ("a workspace", |w| std::fs::write(w.dir.path().join("wheelwright.toml"), "").unwrap()),
        ("no link", |w| std::fs::remove_file(w.dir.path().join("result")).unwrap()),
        ("another link", |w| {
            std::fs::remove_file(w.dir.path().join("result")).unwrap();
            std::os::unix::fs::symlink(w.store.root(), w.dir.path().join("result")).unwrap();
        }),
        ("a folder for a link", |w| {
            std::fs::remove_file(w.dir.path().join("result")).unwrap();
            std::fs::create_dir(w.dir.path().join("result")).unwrap();
        }),
        ("an output", |w| std::fs::remove_dir(w.store.envs_dir().join("result-1")).unwrap()),
        ("a collection", |w| drop(Store::open(w.store.root()).unwrap().gc(false).unwrap())),
        ("a repair", |w| drop(Store::open(w.store.root()).unwrap().verify(true).unwrap())),
        ("nonsense", |w| w.store.keep_answer(&w.question.0, "{\"format\": 9}").unwrap()),
    ];
    for (what, change) in changes {
        let (mut world, _) = world();
        assert!(world.recall().is_some(), "{what}");
        change(&mut world);
        assert_eq!(world.recall(), None, "{what}");
    }
}

#[test]
fn what_a_dead_run_left_is_swept_and_a_living_one_is_in_nobody_s_way() {
    let (world, _) = world();
    let dead = world.store.root().join("tmp/1-1-0");
    std::fs::create_dir_all(dead.join("env/lib")).unwrap();
    let beside = Store::open(world.store.root()).unwrap();
    let living = beside.temp_dir().unwrap();
    assert!(world.recall().is_some());
    assert!(!dead.exists() && living.path().is_dir());
}

#[test]
fn other_questions_have_other_names() {
    let dir = tempfile::tempdir().unwrap();
    let program = |name: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, name).unwrap();
        path
    };
    let mut ambient = Ambient::made_up(dir.path());
    assert_eq!(Question::of(&ambient, &"build"), None, "which program asks is not known");
    ambient.exe = Some(program("one"));
    let first = Question::of(&ambient, &("build", ["a"])).unwrap();
    assert_eq!(Question::of(&ambient.clone().with_var("SHLVL", "2"), &("build", ["a"])).unwrap(), first);
    let mut others = vec![
        Question::of(&ambient, &("build", ["b"])),
        Question::of(&ambient, &("check", ["a"])),
        Question::of(&ambient.clone().with_cwd(dir.path().join("sub")), &("build", ["a"])),
    ];
    let with = |change: &dyn Fn(&mut Ambient)| {
        let mut other = ambient.clone();
        change(&mut other);
        Question::of(&other, &("build", ["a"]))
    };
    others.push(with(&|a| a.exe = Some(program("two"))));
    others.push(with(&|a| a.home = None));
    others.push(with(&|a| a.user.uid = 0));
    others.push(with(&|a| a.root = PathBuf::from("/elsewhere")));
    // The same name, another program.
    std::fs::remove_file(dir.path().join("one")).unwrap();
    program("one");
    others.push(with(&|_| ()));
    for (n, other) in others.iter().enumerate() {
        assert_ne!(other.as_ref(), Some(&first), "{n}");
    }
}

#[test]
fn of_many_answers_the_last_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for n in 0..40 {
        store.keep_answer(&format!("q{n}"), "yes").unwrap();
    }
    let kept = (0..40).filter(|n| store.answer(&format!("q{n}")).unwrap().is_some()).count();
    assert_eq!(kept, 32);
    store.remember("other", "q", "stays").unwrap();
    store.gc(false).unwrap();
    assert_eq!((0..40).filter(|n| store.answer(&format!("q{n}")).unwrap().is_some()).count(), 0);
    assert_eq!(store.recall("other", "q").unwrap().as_deref(), Some("stays"));
}
