//! Builds that give a wheel, by a backend or by phases.

use recipes::recipe::Phase;

use super::*;
use crate::pep517::code::{FORK_SERVER, RUNNER};

#[test]
fn an_in_tree_backend_builds_on_every_python() {
    let mut spec = spec();
    spec.build.config_settings.insert("one".into(), vec!["1".into()]);
    spec.build.config_settings.insert("two".into(), vec!["1".into(), "2".into()]);
    for python in pythons() {
        let (answer, log) = build_with(&python, WHEEL, &spec);
        let answer = answer.unwrap_or_else(|e| panic!("{}: {e:?}\n{log}", python.display()));
        assert_eq!(answer.wheel.as_str(), "dist/demo-1.0-py3-none-any.whl");
        assert_eq!(answer.backend, "toy");
        assert!(log.contains("config {'one': '1', 'two': ['1', '2']}"), "{log}");
    }
}

#[test]
fn the_wheel_alone_is_not_compressed_on_every_python() {
    // As setuptools, flit and the others open it; then something else that is zipped.
    let backend = r#"
import os, tempfile, zipfile
def fill(file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("small"), b"x" * 5000, zipfile.ZIP_DEFLATED)
        archive.writestr("large", b"x" * 2000000)
    with zipfile.ZipFile(file) as archive:
        small, large = archive.infolist()
        assert archive.read("small") == b"x" * 5000 and archive.testzip() is None
        return small.compress_size >= 5000, large.compress_size > 100000
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "demo-1.0-py3-none-any.whl"
    print("plain", fill(os.path.join(directory, name)))
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=directory) as inner:
        print("inner", fill(os.path.join(inner, name)))
    for where in (directory, None):
        fd, path = tempfile.mkstemp(suffix=".whl", dir=where)
        with open(fd, "w+b") as file:
            print("temporary", fill(file))
    with open(tempfile.mkstemp(suffix=".zip")[0], "w+b") as file:
        print("other", fill(file))
    print("other", fill("data.zip"), fill("data.whl"))
    return name
"#;
    for python in pythons() {
        let (answer, log) = build_with(&python, backend, &spec());
        answer.unwrap_or_else(|e| panic!("{}: {e:?}\n{log}", python.display()));
        let fast = "(True, False)";
        let other = "other (False, False)";
        let said = format!(
            "plain {fast}\ninner {fast}\ntemporary {fast}\ntemporary {fast}\n{other}\n{other} (False, False)\n"
        );
        assert_eq!(log, said, "{}", python.display());
    }
}

#[test]
fn what_distributions_tell_is_read_once_where_nobody_writes() {
    // Of the environment and of the source, which a backend may write to.
    let backend = r#"
import importlib.metadata, os
def entry_points():
    found = [found for one in importlib.metadata.distributions() for found in one.entry_points]
    return sorted(found.name for found in found if found.group == "toys")
def change(folder, old, new):
    path = os.path.join(folder, "entry_points.txt")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(old, new))
def build_wheel(directory, config_settings=None, metadata_directory=None):
    print("first", entry_points())
    [one] = importlib.metadata.distributions(name="kept")
    if isinstance(one.entry_points, list):
        one.entry_points.clear()
    change(one._path, "inside", "changed")
    change("own-1.0.dist-info", "outside", "changed")
    print("then", entry_points(), [found.name for found in one.entry_points])
    open(os.path.join(directory, "demo-1.0-py3-none-any.whl"), "w").close()
    return "demo-1.0-py3-none-any.whl"
"#;
    for python in pythons() {
        let place = Place::new(&python);
        place.write("build/src/pyproject.toml", PYPROJECT);
        place.write("build/src/toy.py", backend);
        for (folder, name, point) in
            [(place.site(&python), "kept", "inside"), ("build/src".to_owned(), "own", "outside")]
        {
            let info = format!("{folder}/{name}-1.0.dist-info");
            place.write(
                &format!("{info}/METADATA"),
                &format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
            );
            place.write(&format!("{info}/entry_points.txt"), &format!("[toys]\n{point} = toy\n"));
        }
        let result = place.run(&build_action(&spec()));
        let log = String::from_utf8_lossy(&result.log).into_owned();
        assert_eq!(
            log,
            "first ['inside', 'outside']\nthen ['changed', 'inside'] ['inside']\n",
            "{}",
            python.display()
        );
    }
}

#[test]
fn a_build_ends_as_an_interpreter_does_on_every_python() {
    let late = "\
import atexit, gc, threading, time
print('import', gc.isenabled())
class Made:
    def __del__(self): print('taken apart')
kept = Made()
def later():
    threading.main_thread().join()
    print('thread')
atexit.register(print, 'exit')
atexit.register(lambda: 1 // 0)
threading.Thread(target=later).start()
";
    let wheel = WHEEL.replace("print(", "print('build', gc.isenabled())\n    print(");
    for python in pythons() {
        let (answer, log) = build_with(&python, &format!("{late}{wheel}"), &spec());
        answer.unwrap_or_else(|e| panic!("{}: {e:?}\n{log}", python.display()));
        let said: Vec<&str> =
            log.lines().filter(|l| !l.starts_with("config") && !l.starts_with(' ')).collect();
        assert_eq!(said[..4], ["import False", "build True", "thread", "exit"], "{}", python.display());
        assert!(log.contains("ZeroDivisionError") && !log.contains("taken apart"), "{log}");
    }
}

#[test]
fn the_named_wheel_of_two_is_taken() {
    let two = WHEEL.replace(
        "    print",
        "    open(os.path.join(directory, 'b-1-py3-none-any.whl'), 'w').close()\n    print",
    );
    let (answer, _) = build_with(&one_python(), &two, &spec());
    assert_eq!(answer.unwrap().wheel.as_str(), "dist/demo-1.0-py3-none-any.whl");
}

#[test]
fn phases_run_in_one_shell_and_a_failing_one_is_named() {
    let mut spec = spec();
    spec.phases.insert(Phase::PreBuild, "export CHOICE=from-the-phase; cd sub".into());
    spec.phases.insert(Phase::PostBuild, "ls \"$dist\"".into());
    let place = Place::new(&one_python());
    place.write("build/src/sub/pyproject.toml", PYPROJECT);
    place.write("build/src/sub/toy.py", &format!("{WHEEL}    \nprint(os.environ['CHOICE'])\n"));
    let result = place.run(&build_action(&spec));
    let log = String::from_utf8_lossy(&result.log).into_owned();
    assert!(log.contains("from-the-phase") && log.contains("demo-1.0-py3-none-any.whl"), "{log}");
    read_answer(&result).unwrap();
    spec.phases.insert(Phase::PostBuild, "false".into());
    let refusal = read_answer(&place.run(&build_action(&spec))).unwrap_err();
    assert_eq!(refusal.message(), "the `post-build` phase failed");
}

#[test]
fn a_build_phase_takes_the_runners_place() {
    let mut spec = spec();
    spec.phases.insert(Phase::Build, "echo x > \"$dist/$pname-$version-py3-none-any.whl\"".into());
    let place = Place::new(&one_python());
    let answer = read_answer(&place.run(&build_action(&spec))).unwrap();
    assert_eq!(answer.wheel.as_str(), "dist/demo-1.0-py3-none-any.whl");
    spec.format = Format::Other;
    spec.phases.insert(Phase::Install, "mkdir $out/lib; cp -R $dist $out/lib".into());
    let result = place.run(&build_action(&spec));
    assert_eq!(answer::failed_phase(&result), None);
    assert!(result.outputs.path().join("out/lib/dist/demo-1.0-py3-none-any.whl").is_file());
}

#[test]
fn temporary_names_are_the_same_each_time() {
    let names = format!("{WHEEL}\nimport tempfile\nprint(os.path.basename(tempfile.mkdtemp()))\n");
    for python in pythons() {
        let (_, log) = build_with(&python, &names, &spec());
        assert!(log.contains("tmpww000000"), "{}: {log}", python.display());
    }
}

#[test]
fn byte_code_beside_the_programs_is_what_runs() {
    for python in pythons() {
        let folder = tempfile::tempdir().unwrap();
        let code = compiled(&python, folder.path());
        let mut action = build_action(&BuildSpec { code, ..spec() });
        let text = below("job/wheelwright_runner.py");
        assert!(action.files.insert(text, b"raise SystemExit('it is compiled')".to_vec()).is_some());
        let place = Place::new(&python);
        place.write("build/src/pyproject.toml", PYPROJECT);
        place.write("build/src/toy.py", "def build_wheel(*_):\n    raise ValueError('no')\n");
        let result = place.run(&action);
        let log = String::from_utf8_lossy(&result.log);
        assert!(
            read_answer(&result).is_err_and(|refusal| matches!(refusal, Refusal::Raised { .. })),
            "{log}"
        );
        assert!(log.contains("toy.py") && !log.contains("runner.py"), "{}: {log}", python.display());
    }
}

#[test]
fn byte_code_lies_where_python_looks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let made = compiled(&one_python(), folder.path());
    assert_eq!(ByteCode::from_text(&made.to_text()), Some(made.clone()));
    let files: Vec<String> = made.files(&[FORK_SERVER]).keys().map(ToString::to_string).collect();
    let [code, text] = &files[..] else { panic!("{files:?}") };
    assert_eq!(text, "job/wheelwright_fork_server.py");
    assert!(code.starts_with("job/__pycache__/wheelwright_fork_server.") && code.ends_with(".pyc"), "{code}");
    assert_eq!(made.files(&RUNNER).len(), 2 * RUNNER.len() - 1);
}
