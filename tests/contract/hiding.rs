//! What a build must not see.

use std::path::Path;

use builder::exec::action::{Exit, HostView, Level};

use crate::bench::{Bench, at, text, uid};

const ALL: &[Level] = &[Level::Env, Level::Landlock, Level::Full];
const KEPT: &[Level] = &[Level::Landlock, Level::Full];
const FULL: &[Level] = &[Level::Full];

/// Python that prints each of `paths` that can be read and is not an empty folder.
fn seen(paths: &[&str]) -> String {
    format!(
        "import os\nfor p in {paths:?}:\n  try:\n    if os.listdir(p) if os.path.isdir(p) else open(p, 'rb'): print('seen', p)\n  except OSError: pass\nprint('done')"
    )
}

#[test]
fn the_environment_is_what_the_action_says() {
    at("hiding::the_environment_is_what_the_action_says", ALL, |bench| {
        let mut action = bench.action(&["/usr/bin/env"]);
        action.env = [("A".to_owned(), "1".to_owned())].into();
        assert_eq!(bench.log(&action), "A=1\n");
    });
}

#[test]
fn the_invokers_home_and_files_are_hidden() {
    at("hiding::the_invokers_home_and_files_are_hidden", KEPT, |bench| {
        let secret = bench.home.path().join("secret");
        let store = bench.options.work.join("..");
        let hidden = [
            secret.to_str().unwrap(),
            bench.home.path().to_str().unwrap(),
            store.to_str().unwrap(),
            "/root",
            "/home",
            "/var",
            "/etc/shadow",
            "/etc/hostname",
            "/etc/machine-id",
            "/sys",
            "/boot",
            "/opt",
        ];
        assert_eq!(bench.log(&bench.python(&seen(&hidden))), "done\n");
    });
}

#[test]
fn no_compiler_header_or_package_is_seen_unless_declared() {
    at("hiding::no_compiler_header_or_package_is_seen_unless_declared", KEPT, |bench| {
        let hidden = [
            "/usr/bin/gcc",
            "/usr/bin/cc",
            "/usr/bin/ld",
            "/usr/bin/pkg-config",
            "/usr/include",
            "/usr/lib/gcc",
            "/usr/lib/x86_64-linux-gnu/pkgconfig",
            "/usr/lib/pkgconfig",
            "/usr/share",
            "/usr/local/bin",
            "/usr/local/lib",
            "/usr/lib/python3/dist-packages",
        ];
        assert_eq!(bench.log(&bench.python(&seen(&hidden))), "done\n");
        for tool in ["gcc", "cc", "g++", "ld", "as", "pkg-config", "perl", "git"] {
            let exit = bench.run(&bench.sh(&format!("{tool} --version"))).exit;
            assert!(matches!(exit, Exit::Code(126 | 127)), "{tool}: {exit:?}");
        }
    });
}

#[test]
fn a_declared_compiler_works_and_packages_stay_hidden() {
    at("hiding::a_declared_compiler_works_and_packages_stay_hidden", KEPT, |bench| {
        let hidden = ["/usr/local/bin", "/usr/local/lib", "/usr/lib/python3/dist-packages"];
        let mut action = bench.python(&seen(&hidden));
        action.view = HostView::Toolchain;
        assert_eq!(bench.log(&action), "done\n");
        let mut action = bench.sh(
            "printf '#include <stdio.h>\\nint main(void){return puts(\"made\") < 0;}' > a.c && gcc a.c -o a && ./a",
        );
        action.view = HostView::Toolchain;
        action.env.insert("TMPDIR".to_owned(), "/tmp".to_owned());
        let result = bench.run(&action);
        let expected = if Path::new("/usr/bin/gcc").exists() { Exit::Code(0) } else { Exit::Code(127) };
        assert_eq!(result.exit, expected, "{}", text(&result));
    });
}

#[test]
fn a_host_path_under_a_closed_folder_is_seen_at_its_own_place() {
    at("hiding::a_host_path_under_a_closed_folder_is_seen_at_its_own_place", FULL, |bench| {
        use std::os::unix::fs::PermissionsExt;
        let home = bench.home.path();
        std::fs::create_dir_all(home.join("prefix/lib/python3.11/site-packages/pip")).unwrap();
        std::fs::write(home.join("prefix/lib/python3.11/os.py"), "there\n").unwrap();
        std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o700)).unwrap();
        let script = format!(
            "cd {}/prefix && cat lib/python3.11/os.py && ls lib/python3.11/site-packages && ls ..",
            home.display()
        );
        for view in [HostView::Minimal, HostView::Toolchain] {
            let mut action = bench.sh(&script);
            action.view = view;
            action.host_paths = vec![home.join("prefix")];
            assert_eq!(bench.log(&action), "there\nprefix\n");
        }
    });
}

#[test]
fn every_cell_looks_the_same() {
    at("hiding::every_cell_looks_the_same", FULL, |bench| {
        let log = bench.log(&bench.sh(
            "hostname; id; umask; pwd; ls -A / /build /tmp /etc /dev; cat /etc/hosts /proc/self/cgroup; stat -c '%U %a' /build; echo $$",
        ));
        expect_test::expect![[r#"
            wheelwright
            uid=60999(build) gid=60999(build) groups=60999(build)
            0022
            /build
            /:
            bin
            build
            dev
            etc
            lib
            lib64
            proc
            s
            sbin
            tmp
            usr

            /build:

            /dev:
            fd
            full
            null
            ptmx
            pts
            random
            shm
            stderr
            stdin
            stdout
            urandom
            zero

            /etc:
            group
            hosts
            ld.so.cache
            nsswitch.conf
            passwd

            /tmp:
            127.0.0.1 localhost wheelwright
            ::1 localhost wheelwright
            build 755
            2
        "#]]
        .assert_eq(&without_groups(&log));
    });
}

/// Lines that depend on the host: its control groups, root's other links.
fn without_groups(log: &str) -> String {
    let host = |line: &&str| {
        let group = line.split(':').count() == 3 && line.ends_with(":/");
        !group && !matches!(*line, "lib32" | "libx32")
    };
    // An ordinary user's other groups cannot be dropped, and are nameless.
    let line = |line: &str| line.replace(",65534(nogroup)", "") + "\n";
    log.lines().filter(host).map(line).collect()
}

#[test]
fn no_descriptor_is_inherited() {
    at("hiding::no_descriptor_is_inherited", ALL, |bench| {
        let file = std::fs::File::open(bench.home.path().join("secret")).unwrap();
        // Unlike everything std opens, this one is not close-on-exec.
        let leaking = rustix::io::dup(&file).unwrap();
        let log = bench.log(&bench.python(
            "import os\nfds = [f for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + f)]\n\
             print(sorted(fds), os.read(0, 1))",
        ));
        assert_eq!(log, "['0', '1', '2'] b''\n");
        drop(leaking);
    });
}

#[test]
fn the_init_shows_nothing_of_the_invoker() {
    at("hiding::the_init_shows_nothing_of_the_invoker", FULL, |bench: &Bench| {
        let log = bench.log(&bench.python(
            "import os\nfor name in ('environ', 'cwd', 'exe', 'root', 'fd/3', 'maps', 'mem'):\n  p = '/proc/1/' + name\n  \
             try: print(name, os.readlink(p) if name in ('cwd', 'exe', 'root', 'fd/3') else len(open(p, 'rb').read(1)))\n  \
             except (PermissionError, FileNotFoundError): pass\nprint(open('/proc/1/cmdline').read().rstrip('\\0'))",
        ));
        assert_eq!(log, "wheelwright-cell\n", "as uid {}", uid());
    });
}
