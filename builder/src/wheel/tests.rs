use std::io::Write as _;
use std::sync::Arc;

use expect_test::expect;
use recipes::diag::{Place, SourceFile};
use recipes::name::PackageName;
use recipes::recipe::{Expect, Relax};

mod large;
mod places;

use super::toy::{Toy, findings, parse, toy, unzip, zip as archive};
use super::*;
use crate::key::Digest;

fn demo() -> Toy {
    toy(
        "demo",
        "1.0",
        &[
            ("demo/__init__.py", "VALUE = 1\n"),
            ("demo/data.txt", &"line\n".repeat(1000)),
            ("tests/__init__.py", ""),
            ("tests/test_demo.py", "def test(): pass\n"),
            ("demo-1.0.dist-info/top_level.txt", "demo\ntests\n"),
            ("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo:main\n"),
        ],
    )
    .headers(
        "Requires-Dist: click (>=8,<9)\nRequires-Dist: Blinker~=1.9 ; python_full_version < '3.11.0a6'\n",
    )
}

fn spec(relax: &Relax) -> FinishSpec<'_> {
    FinishSpec { relax, remove_tests: true, namespaces: &[] }
}

/// A finished wheel whose bytes are held.
#[derive(Debug)]
struct Done {
    bytes: Vec<u8>,
    wheel: Wheel,
    notes: Vec<String>,
}

fn finish(file_name: &str, raw: &[u8], spec: &FinishSpec<'_>) -> Result<Done, Vec<Finding>> {
    let raw = Archive::Memory(raw.to_vec());
    let done = findings(super::finish(file_name, (&raw, &Spool::nowhere()), spec))?;
    Ok(Done { bytes: done.archive.memory().unwrap().to_vec(), wheel: done.wheel, notes: done.notes })
}

fn parse_finished(file_name: &str, bytes: &[u8]) -> Result<Wheel, Vec<Finding>> {
    let archive = Archive::Memory(bytes.to_vec());
    findings(Wheel::open_finished(file_name, &archive, &Spool::nowhere()))
}

fn requires(bytes: &[u8]) -> Result<Vec<String>, Vec<Finding>> {
    findings(Wheel::requires_of_finished(&Archive::Memory(bytes.to_vec())))
}

fn text(findings: &[Finding]) -> String {
    findings.iter().map(Finding::render).collect()
}

fn place() -> Place {
    let file = SourceFile { path: "demo.toml".into(), text: "upper = [\"flask\"]\n".into() };
    Place { file: Arc::new(file), span: 9..16 }
}

/// The same files by another writer: other order, times, modes, compression, folder entries.
fn by_another_writer(toy: &Toy) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.add_directory("demo", stored).unwrap();
    for member in toy.members().iter().rev() {
        let time = zip::DateTime::from_date_and_time(2024, 5, 6, 7, 8, 10).unwrap();
        let options = stored.unix_permissions(0o600).last_modified_time(time).large_file(true);
        writer.start_file(member.path.as_str(), options).unwrap();
        writer.write_all(&member.bytes.all().unwrap()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_finished_wheel_is_read_without_hashing_it_again() {
    let (toy, relax) = (demo(), Relax::default());
    let name = toy.file_name();
    let finished = finish(&name, &toy.bytes(), &spec(&relax)).unwrap();
    let read = parse_finished(&name, &finished.bytes).unwrap();
    assert_eq!(read.members, parse(&name, &finished.bytes).unwrap().members);
    assert_eq!(read.record, finished.wheel.record);
    assert_eq!(requires(&finished.bytes).unwrap(), read.requires());
    assert_eq!(read.requires().len(), 2);
    // A byte of a file that changed on the disk.
    let mut broken = finished.bytes.clone();
    let first = 30 + "demo/__init__.py".len();
    broken[first] ^= 1;
    let told = text(&parse_finished(&name, &broken).unwrap_err());
    assert!(told.contains("`demo/__init__.py`: it"), "{told}");
    assert!(parse_finished(&name, &broken[..broken.len() - 1]).is_err());
    assert!(requires(&broken[..broken.len() - 1]).is_err());
}

#[test]
fn finishing_gives_the_same_bytes_whatever_the_writer_did() {
    let (toy, relax) = (demo(), Relax::default());
    let name = toy.file_name();
    let finished = finish(&name, &toy.bytes(), &spec(&relax)).unwrap();
    expect!["8f8a8446d4c8fd2663121309fff7f37fecdbcdfdad4252815fa56b181393e496"]
        .assert_eq(&Digest::of(&finished.bytes).hex());
    assert_eq!(finish(&name, &by_another_writer(&toy), &spec(&relax)).unwrap().bytes, finished.bytes);
    assert_eq!(finish(&name, &finished.bytes, &spec(&relax)).unwrap().bytes, finished.bytes);
    assert_eq!(finished.notes, ["removed the top-level folder `tests` (2 files)"]);
    assert_eq!(finished.wheel.dist_info_file("top_level.txt"), Some(b"demo\n".as_slice()));
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&finished.bytes)).unwrap();
    let names: Vec<String> =
        (0..zip.len()).map(|i| zip.by_index(i).unwrap().name().unwrap().into_owned()).collect();
    expect![[r#"
        demo/__init__.py
        demo/data.txt
        demo-1.0.dist-info/METADATA
        demo-1.0.dist-info/WHEEL
        demo-1.0.dist-info/entry_points.txt
        demo-1.0.dist-info/top_level.txt
        demo-1.0.dist-info/RECORD"#]]
    .assert_eq(&names.join("\n"));
    assert_eq!(zip.by_index(0).unwrap().unix_mode(), Some(0o100_644));
}

#[test]
fn relax_edits_the_text_and_reports_every_unknown_name() {
    let toy = demo();
    let name = |n: &str| (n.parse::<PackageName>().unwrap(), place());
    let relax = Relax { upper: vec![name("blinker")], remove: vec![name("click")], ..Relax::default() };
    let finished = finish(&toy.file_name(), &toy.bytes(), &spec(&relax)).unwrap();
    assert_eq!(finished.wheel.requires(), ["Blinker>=1.9 ; python_full_version < '3.11.0a6'"]);
    assert!(finished.wheel.metadata.text().ends_with("\n\nBody.\n"));
    let relax = Relax { dependencies: vec![name("clicks")], upper: vec![name("flask")], ..Relax::default() };
    expect![[r#"
        error[L101] demo.toml:1:10: the wheel does not require `clicks`, so there is nothing to relax
         1 | upper = ["flask"]
           |          ^^^^^^^
          hint: did you mean `click`?
        error[L101] demo.toml:1:10: the wheel does not require `flask`, so there is nothing to relax
         1 | upper = ["flask"]
           |          ^^^^^^^
          hint: it requires blinker, click
    "#]]
    .assert_eq(&text(&finish(&toy.file_name(), &toy.bytes(), &spec(&relax)).unwrap_err()));
}

#[test]
fn byte_code_that_a_wheel_brings_is_left_out() {
    let relax = Relax::default();
    let spec = FinishSpec { relax: &relax, remove_tests: false, namespaces: &[] };
    let brings = toy("s", "1", &[("s/a.py", "X = (\n"), ("s/__pycache__/a.cpython-311.pyc", "code")])
        .file("s-1.data/purelib/__pycache__/b.cpython-311.pyc", b"code");
    let finished = finish(&brings.file_name(), &brings.bytes(), &spec).unwrap();
    let left: Vec<&str> = finished.wheel.members.iter().map(|m| m.path.as_str()).collect();
    assert!(left.contains(&"s/a.py") && !left.iter().any(|p| p.contains("__pycache__")), "{left:?}");
    assert_eq!(finished.notes, ["removed `__pycache__` (2 files)"]);
}

#[test]
fn namespaces_lose_their_init_or_are_refused() {
    let relax = Relax::default();
    let namespaces = ["space".to_owned(), "space.sub".to_owned(), "absent".to_owned()];
    let spec = FinishSpec { relax: &relax, remove_tests: false, namespaces: &namespaces[..2] };
    let old = "__import__('pkg_resources').declare_namespace(__name__)\n";
    let good = toy(
        "s",
        "1",
        &[
            ("space/__init__.py", old),
            ("space/sub/__init__.py", ""),
            ("space/sub/m.py", ""),
            ("s-nspkg.pth", "import x\n"),
        ],
    );
    let finished = finish(&good.file_name(), &good.bytes(), &spec).unwrap();
    let left: Vec<&str> = finished.wheel.members.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(left[3], "space/sub/m.py");
    assert_eq!(finished.notes.len(), 3);
    let bad = toy("s", "1", &[("space/__init__.py", "import os\n"), ("space/sub/m.py", "")]);
    let spec = FinishSpec { namespaces: &namespaces, ..spec };
    expect![[r#"
        error[L102]: `space/__init__.py` has code in it, so `space` cannot be a namespace
          hint: take `space` out of `namespaces`, or patch the file away
        error[L103]: the wheel has nothing in the namespace `absent`
          hint: take `absent` out of `namespaces`
    "#]]
    .assert_eq(&text(&finish(&bad.file_name(), &bad.bytes(), &spec).unwrap_err()));
}

#[test]
fn a_record_that_lies_is_refused_with_every_lie() {
    let toy = demo();
    let mut members = toy.members();
    for member in &mut members {
        match member.path.as_str() {
            "demo/__init__.py" => member.bytes = [&member.bytes.all().unwrap(), &b"#"[..]].concat().into(),
            "demo-1.0.dist-info/RECORD" => {
                let text = String::from_utf8(member.bytes.all().unwrap().into_owned()).unwrap();
                let kept: String =
                    text.split_inclusive('\n').filter(|l| !l.starts_with("demo/data")).collect();
                member.bytes =
                    format!("{kept}ghost.py,sha256=x,1\ntests/__init__.py,,\n").into_bytes().into();
            }
            _ => {}
        }
    }
    let bytes = archive(&members).unwrap();
    expect![[r#"
        error[L006]: RECORD: `demo/__init__.py` has another hash
        error[L006]: RECORD: `demo/data.txt` is not listed
        error[L006]: RECORD: `ghost.py` is listed but is not in the wheel
        error[L006]: RECORD: `tests/__init__.py` is listed 2 times
    "#]]
    .assert_eq(&text(&parse(&toy.file_name(), &bytes).unwrap_err()));
}

#[test]
fn archives_that_two_readers_could_read_differently_are_refused() {
    let good = toy("a", "1", &[("a.py", "x = 1\n")]).bytes();
    let read = |bytes: &[u8]| unzip(bytes, &Limits::default()).unwrap_err().join("; ");
    let mut trailing = good.clone();
    trailing.push(0);
    let mut renamed = good.clone();
    renamed[30] = b'b';
    let mut crc = good.clone();
    let stored = good.windows(6).position(|w| w == b"x = 1\n").unwrap();
    crc[stored] = b'y';
    let member = |path: &str| Member {
        path: crate::tree::RelPath::new(path).unwrap(),
        bytes: vec![1].into(),
        executable: false,
    };
    let twice = archive(&[member("a"), member("a")]).unwrap();
    let cased = archive(&[member("a"), member("A")]).unwrap();
    let nested = archive(&[member("a"), member("a/b")]).unwrap();
    let escape = archive(&[member("xx/yyyy")]).unwrap();
    let escape = replace(&escape, b"xx/yyyy", b"../yyyy");
    let mut link = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    link.add_symlink("l", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    let link = link.finish().unwrap().into_inner();
    let small = Limits { bytes: 10, members: 10, ..Limits::default() };
    let bomb = unzip(
        &archive(&[member("a"), Member { bytes: vec![0; 100].into(), ..member("b") }]).unwrap(),
        &small,
    );
    expect![[r#"
        it is not a zip archive, or there is data after its end
        `a.py`: its local and central headers disagree
        `a.py`: its checksum is wrong
        `a` is there twice
        `a` and `A` differ only in case
        `a` is a file and the folder of `a/b`
        `../yyyy` has a `..` part
        `l` is a symbolic link
        the members hold 101 bytes, more than 10 are allowed
        it is not a zip archive, or there is data after its end"#]]
    .assert_eq(
        &[
            read(&trailing),
            read(&renamed),
            read(&crc),
            read(&twice),
            read(&cased),
            read(&nested),
            read(&escape),
            read(&link),
            bomb.unwrap_err().join("; "),
            read(b""),
        ]
        .join("\n"),
    );
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from {
            out[at..at + to.len()].copy_from_slice(to);
        }
    }
    out
}

#[test]
fn a_cut_or_flipped_archive_never_panics() {
    let good = demo().bytes();
    for cut in (0..good.len()).step_by(7) {
        assert!(unzip(&good[..cut], &Limits::default()).is_err());
    }
    let want = unzip(&good, &Limits::default()).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        // Some fields (times, versions) mean nothing; what is read is then the same but for modes and names.
        if let Ok(members) = unzip(&bad, &Limits::default()) {
            assert_eq!(members.len(), want.len());
        }
    }
}

fn lint_of(toy: &Toy, expect: Option<Expect>) -> String {
    let (name, version) = ("demo".parse().unwrap(), "1.0".parse().unwrap());
    let spec = LintSpec { name: &name, version: &version, expect, build_paths: &["/cell/env".to_owned()] };
    text(&lint(&toy.wheel(), &spec).unwrap())
}

#[test]
fn a_good_wheel_has_no_finding() {
    let toy = toy("demo", "1.0", &[("demo/__init__.py", ""), ("demo_mod.py", "")]);
    assert_eq!(lint_of(&toy, Some(Expect::Pure)), "");
}

#[test]
fn a_wheel_has_one_name_and_one_version() {
    let toy = toy("demo", "1.0", &[("demo/__init__.py", "")]).headers("Name: other\nversion: 2.0\n");
    expect![[r#"
        error[L004]: METADATA has several `Name` headers, and may have one
        error[L004]: METADATA has several `Version` headers, and may have one
    "#]]
    .assert_eq(&lint_of(&toy, None));
}

#[test]
fn lint_tells_everything_at_once() {
    let bad = toy(
        "demo",
        "1.1",
        &[
            ("demo/config.py", "PREFIX = '/cell/env/lib'\n"),
            ("demo/a.py", "F = '/build/src/demo/a.c'\n"),
            ("demo/b.py", "F = '/build/x.js'\n"),
            ("docs/conf.py", ""),
            ("LICENSE", ""),
            ("demo-1.1.dist-info/entry_points.txt", "[console_scripts]\nx = 1\na/b = m:f\n"),
            ("demo-1.1.data/scripts/run", "#!/cell/env/bin/python3\n"),
            ("demo-1.1.data/data/pyvenv.cfg", "home = /\n"),
            ("demo-1.1.data/data/bin/python3", ""),
            ("demo-1.1.data/data/lib/python3.11/site-packages/x.py", ""),
        ],
    )
    .headers("License-File: COPYING\n")
    .tag("cp311-cp311-linux_x86_64");
    expect![[r#"
        error[L007]: entry_points.txt: `x` in `[console_scripts]`: `1` is not `module:object`
        error[L202]: the recipe expects a compiled extension, but the wheel has none
          hint: a compiler or header was missing and the build left the optional extension out: see its log
        error[L204]: METADATA has the version `1.1`, the recipe `1.0`
          hint: the version the build made usually comes from pyproject.toml, setup.py or the VCS
        error[L205]: `demo-1.1.data/scripts/run` has the build path `/cell/env/bin/python3` in it
          hint: nothing is there when the wheel is used; patch the path out of the file or its maker
        error[L205]: `demo/config.py` has the build path `/cell/env/lib` in it
          hint: nothing is there when the wheel is used; patch the path out of the file or its maker
        error[L206]: entry point: the script name "a/b" is not a plain file name
        error[L208]: `demo-1.1.data/data/bin/python3`: a script must not be called `python3`, as the interpreter is
        error[L208]: `demo-1.1.data/data/lib/python3.11/site-packages/x.py`: a data file must not be installed as `lib/python3.11/site-packages/x.py`
        error[L208]: `demo-1.1.data/data/pyvenv.cfg`: a data file must not be installed as `pyvenv.cfg`
        warning[L201]: the tag `cp311-cp311-linux_x86_64` names a platform, but no file is compiled: an optional extension fell away
        warning[L205]: `demo/a.py` has the build path `/build/src/demo/a.c` in it
          hint: nothing is there when the wheel is used; patch the path out of the file or its maker
        warning[L207]: METADATA promises the licence file `COPYING`, which is not there
        warning[L209]: the file `LICENSE` stands at the top of site-packages and belongs to no package
        warning[L209]: the folder `docs` stands at the top of site-packages and belongs to no package
        warning[L210]: the script `run` begins `#!/cell/env/bin/python3` instead of `#!python`
        lint[L205]: `demo/b.py` has `/build/x.js` in it, which may be a path of the build
    "#]].assert_eq(&lint_of(&bad, Some(Expect::Native)));
    let elf = elf_with_runpath("/opt/lib");
    let compiled = toy("demo", "1.0", &[]).file("demo/x.cpython-311-x86_64-linux-gnu.so", &elf);
    expect![[r#"
        error[L201]: the tag `py3-none-any` says any platform, but `demo/x.cpython-311-x86_64-linux-gnu.so` is compiled
        error[L202]: the recipe expects a pure wheel, but `demo/x.cpython-311-x86_64-linux-gnu.so` is compiled
        warning[L201]: WHEEL says Root-Is-Purelib, but `demo/x.cpython-311-x86_64-linux-gnu.so` is compiled
        warning[L201]: the tag `py3-none-any` fits any Python, but `demo/x.cpython-311-x86_64-linux-gnu.so` is for one
        warning[L211]: `demo/x.cpython-311-x86_64-linux-gnu.so` looks for libraries in `/opt/lib`
    "#]].assert_eq(&lint_of(&compiled, Some(Expect::Pure)));
    let other = compiled.tag("cp311-cp311-manylinux_2_17_riscv64");
    expect![[r#"
        error[L203]: `demo/x.cpython-311-x86_64-linux-gnu.so` is not for the platform of the tag `cp311-cp311-manylinux_2_17_riscv64`
        warning[L211]: `demo/x.cpython-311-x86_64-linux-gnu.so` looks for libraries in `/opt/lib`
    "#]].assert_eq(&lint_of(&other, None));
}

#[test]
fn install_is_portable_and_says_what_it_holds() {
    let toy = toy(
        "demo",
        "1.0",
        &[
            ("demo/__init__.py", ""),
            ("demo/sub/data.py", ""),
            ("one.py", ""),
            ("ext.cpython-311-x86_64-linux-gnu.so", ""),
            ("space/deep/mod/__init__.py", ""),
            ("space/single.py", ""),
            ("demo.libs/lib.so.1", ""),
            ("docs/conf.py", ""),
            ("z.pth", "import z\n"),
            (
                "demo-1.0.dist-info/entry_points.txt",
                "[console_scripts]\ndemo = demo:main\n[gui_scripts]\ngdemo = demo:gui.main\n",
            ),
            ("demo-1.0.dist-info/REQUESTED", ""),
            ("demo-1.0.data/scripts/tool", "#!python\nimport demo\n"),
            ("demo-1.0.data/purelib/pure.py", ""),
            ("demo-1.0.data/headers/demo.h", ""),
            ("demo-1.0.data/data/etc/demo.conf", ""),
            ("demo-1.0.data/data/bin/native", "\u{7f}ELF"),
        ],
    )
    .headers("Requires-Dist: click\nProvides-Extra: fast\n");
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { python: "3.11".into(), interpreter: Digest::of(b"i") };
    let installed = install(&toy.wheel(), &layout, dir.path()).unwrap();
    expect![[r#"{"format":1,"name":"demo","version":"1.0","python":"3.11","dist_info":"demo-1.0.dist-info","requires":["click"],"extras":["fast"],"imports":["demo","ext","one","pure","space.deep.mod","space.single"],"units":[{"path":"demo","folder":true,"real":false},{"path":"demo-1.0.dist-info","folder":true,"real":false},{"path":"demo.libs","folder":true,"real":false},{"path":"docs/conf.py","folder":false,"real":false},{"path":"ext.cpython-311-x86_64-linux-gnu.so","folder":false,"real":false},{"path":"one.py","folder":false,"real":false},{"path":"pure.py","folder":false,"real":false},{"path":"space/deep/mod","folder":true,"real":false},{"path":"space/single.py","folder":false,"real":false},{"path":"z.pth","folder":false,"real":false}],"scripts":[{"name":"native","python":null},{"name":"tool","python":[]}],"entry_points":[{"name":"demo","module":"demo","object":"main"},{"name":"gdemo","module":"demo","object":"gui.main"}],"files":["etc/demo.conf","include/site/python3.11/demo/demo.h"],"pth":["z.pth"],"natives":["share/wheelwright/scripts/native"]}"#]].assert_eq(&serde_json::to_string(&installed.contents).unwrap());
    assert_eq!(installed.module.scripts.len(), 4);
    let record =
        std::fs::read_to_string(dir.path().join("lib/python3.11/site-packages/demo-1.0.dist-info/RECORD"))
            .unwrap();
    expect![[r#"
        ../../../etc/demo.conf
        ../../../include/site/python3.11/demo/demo.h
        ../../../share/wheelwright/module.json
        ../../../share/wheelwright/scripts/native
        ../../../share/wheelwright/scripts/tool
        demo-1.0.dist-info/INSTALLER
        demo-1.0.dist-info/METADATA
        demo-1.0.dist-info/RECORD
        demo-1.0.dist-info/WHEEL
        demo-1.0.dist-info/entry_points.txt
        demo.libs/lib.so.1
        demo/__init__.py
        demo/sub/data.py
        docs/conf.py
        ext.cpython-311-x86_64-linux-gnu.so
        one.py
        pure.py
        space/deep/mod/__init__.py
        space/single.py
        z.pth
    "#]]
    .assert_eq(&record.lines().map(|l| l.split(',').next().unwrap().to_owned() + "\n").collect::<String>());
}

#[test]
fn a_library_that_looks_outside_is_not_linkable() {
    let elf = elf_with_runpath("$ORIGIN/../../other/lib:/usr/lib");
    let toy =
        toy("demo", "1.0", &[("demo/__init__.py", ""), ("fine/__init__.py", ""), ("fine.libs/x.txt", "")])
            .file("demo/lib/libdemo.so", &elf)
            .file("fine/ext.so", &elf_with_runpath("$ORIGIN/../fine.libs"));
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { python: "3.11".into(), interpreter: Digest::of(b"i") };
    let installed = install(&toy.wheel(), &layout, dir.path()).unwrap();
    let real: Vec<(&str, bool)> =
        installed.contents.units.iter().map(|u| (u.path.as_str(), u.real)).collect();
    assert_eq!(real, [("demo", true), ("demo-1.0.dist-info", false), ("fine", false), ("fine.libs", false)]);
}

#[test]
fn verify_tells_what_is_missing_and_what_does_not_fit() {
    let target = super::toy::target();
    let requires: Vec<String> = [
        "click>=8",
        "Blinker<1 ; python_version >= '3.8'",
        "old; python_version < '3'",
        "extra-only ; extra == 'fast'",
        "missing[x] >= 2 ; os_name == 'posix'",
        "odd >=1.*",
    ]
    .map(str::to_owned)
    .into();
    let have: Vec<Have> =
        [("click", "8.1"), ("blinker", "1.9")].map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).into();
    expect![[r#"
        error[L402]: `demo` requires `Blinker<1 ; python_version >= '3.8'`, but its closure has blinker 1.9
          hint: write "Blinker<1" in `dependencies`, or add `blinker` to `dependencies` or `upper` of `[relax]`
        error[L401]: `demo` requires `missing[x] >= 2 ; os_name == 'posix'`, which is not in its closure
          hint: add "missing[x] >= 2" to `dependencies`, or its name to `remove` of `[relax]`
        warning[L403]: `demo` requires `odd >=1.*`, which cannot be checked: Operator >= cannot be used with a wildcard version specifier
    "#]].assert_eq(&text(&verify("demo", &requires, &target, &have)));
}

/// The smallest shared object with a DT_RUNPATH: header, one PT_LOAD over all, one PT_DYNAMIC.
fn elf_with_runpath(runpath: &str) -> Vec<u8> {
    let strings = [b"\0", runpath.as_bytes(), b"\0"].concat();
    let (headers, dynamic) = (64 + 2 * 56, 4 * 16);
    let total = (headers + dynamic + strings.len()) as u64;
    let mut out = Vec::new();
    out.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [3u16, 62] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&1u32.to_le_bytes());
    for long in [0u64, 64, 0] {
        out.extend_from_slice(&long.to_le_bytes());
    }
    out.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 2, 64, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    for (kind, start, len) in [(1u32, 0u64, total), (2, headers as u64, dynamic as u64)] {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&4u32.to_le_bytes());
        for long in [start, start, start, len, len, 8] {
            out.extend_from_slice(&long.to_le_bytes());
        }
    }
    for (tag, value) in [(5u64, (headers + dynamic) as u64), (10, strings.len() as u64), (29, 1), (0, 0)] {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&strings);
    out
}
