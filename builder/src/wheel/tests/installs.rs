//! What an install holds, and what of it may be a link.

use expect_test::expect;

use super::*;

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
