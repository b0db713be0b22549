//! Scripts in environments, and interpreters of another kind.

use super::*;

/// Prints what a script may look at, then what it is asked to do.
const BODY: &str = r#"#!python -u
'''Doc.'''
from __future__ import annotations
import os, sys, subprocess
here = os.path.dirname(__file__)
words = open(os.path.join(here, '..', 'lib', 'demo', 'words')).read()
print(__doc__, __name__, 'ww_body' in globals(), sys.path[0] == here, words, flush=True)
print(sys.argv, flush=True)
if sys.argv[1:] == ['again']: subprocess.check_call([sys.executable, sys.argv[0]])
if sys.argv[1:] == ['fail']: raise SystemError('at this line')
"#;

#[test]
fn a_script_keeps_its_neighbourhood_and_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let name = r#"say "it's", now"#;
    let demo = toy(
        "demo",
        "1",
        &[
            (&format!("demo-1.data/scripts/{name}"), BODY),
            ("demo-1.data/scripts/plain, \"too\"", "#!/bin/sh\necho\n"),
            ("demo-1.data/data/lib/demo/words", "some words"),
        ],
    );
    let members = [member(dir.path(), &demo)];
    for style in [Style::Frozen, Style::Working] {
        let at = dir.path().join(format!("an {style:?}"));
        let made = make(&at, &members, style).unwrap_or_else(|f| panic!("{}", messages(&f)));
        let program = made.folder.join("bin").join(name);
        let said = "Doc. __main__ False True some words";
        let argv0 = program.display().to_string().replace('\'', "\\'");
        assert_eq!(run(&program, &["again"]), format!("{said}\n['{argv0}', 'again']\n{said}\n['{argv0}']"));
        let out = Command::new(&program).arg("fail").output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(told.contains("['fail']: raise SystemError('at this line')"), "{told}");
    }
    let site = dir.path().join(format!("an Working/lib/python{}/site-packages", host().python));
    let code = "import csv, os, sys; os.chdir(sys.argv[1])\n\
                rows = list(csv.reader(open('demo-1.dist-info/RECORD', newline='')))\n\
                print(*sorted(r[0] for r in rows if '/bin/' in r[0]), sep='\\n')\n\
                print([r for r in rows if not os.path.exists(r[0])])";
    let record = run(&host().exe, &["-c", code, site.to_str().unwrap()]);
    assert_eq!(record, format!("../../../bin/plain, \"too\"\n../../../bin/{name}\n[]"));
}

#[test]
fn an_interpreter_without_the_gil_has_its_own_folders() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host { version: "3.13.2".into(), python: "3.13t".into(), ..host() };
    let layout = Layout { python: "3.13t".into(), interpreter: host.identity };
    let tree = dir.path().join("tree");
    let installed = install(&toy("lib", "1", &[("lib.py", "")]).wheel(), &layout, &tree).unwrap();
    let members = [Member::of(installed.module, &tree)];
    let (urls, at) = (BTreeMap::new(), dir.path().join("env"));
    let spec = Spec {
        host: &host,
        style: Style::Frozen,
        members: &members,
        target: None,
        at: &at,
        store: None,
        direct_urls: &urls,
        user_site: UserSite::Hidden,
    };
    compose(&spec, &at).unwrap();
    assert!(at.join("lib/python3.13t/site-packages/lib.py").is_file());
    let links = ["python3.13t", "python3.13"].map(|name| fs::read_link(at.join("bin").join(name)).unwrap());
    assert_eq!(links, [Path::new("python"), Path::new("python")]);
    let with_gil = Host { python: "3.13".into(), ..host.clone() };
    let told = messages(&crate::outputs::modules::check(&members, &with_gil, None));
    assert!(told.contains("`lib` is built for Python 3.13t, this is 3.13"), "{told}");
}
