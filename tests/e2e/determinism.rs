//! The same recipe gives the same bytes wherever, whenever and by whomever.

use std::collections::BTreeMap;

use crate::project::Project;
use crate::world::World;

/// A backend that lets slip all it can see into what it builds.
fn projects() -> [Project; 3] {
    let tell = "import json, os, socket, sys, tempfile, time, locale, random\n\
        seen = {'cwd': os.getcwd(), 'env': dict(os.environ), 'tmp': tempfile.mkdtemp(), 'zone': time.tzname,\n\
        'umask': os.umask(0o022), 'host': socket.gethostname(), 'uid': os.getuid(), 'argv': sys.argv,\n\
        'path': sys.path, 'hash': hash('wheel'), 'locale': locale.setlocale(locale.LC_ALL), 'home': os.path.expanduser('~'),\n\
        'cpus': os.environ.get('MAKEFLAGS'), 'pid-is-small': os.getpid() < 100, 'set': str({'a', 'b', 'c'})}\n\
        open('src/hub/seen.json', 'w').write(json.dumps(seen, indent=1, sort_keys=True))\n\
        os.chmod('src/hub/seen.json', 0o600)\nspec['clock'] = True\n";
    [
        Project::new("hub", "1.0").hook(tell),
        Project::new("spoke", "1.0").needs("hub").console("spoke", "spoke:main"),
        Project::new("rim", "1.0").needs("spoke").builds_with("hub").file("src/rim/data.txt", "x\n"),
    ]
}

fn wheels(world: &World, args: &[&str]) -> BTreeMap<String, Vec<u8>> {
    world.ok(&[&["build", "--all", "--wheel-dir", "wheels"], args].concat());
    let entries = std::fs::read_dir(world.work("wheels")).unwrap();
    let all: BTreeMap<String, Vec<u8>> = entries
        .map(|e| e.unwrap().path())
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&p).unwrap()))
        .collect();
    assert!(all.len() >= 4, "{:?}", all.keys());
    all
}

/// Names the member that differs, rather than two walls of bytes.
#[track_caller]
fn same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, bytes) in left {
        if *bytes == right[name] {
            continue;
        }
        let texts = [bytes, &right[name]].map(|b| {
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(b)).unwrap();
            (0..archive.len())
                .map(|i| {
                    let mut member = archive.by_index(i).unwrap();
                    let mut text = Vec::new();
                    std::io::Read::read_to_end(&mut member, &mut text).unwrap();
                    format!(
                        "{:?} {:?}\n{}",
                        member.name(),
                        member.unix_mode(),
                        String::from_utf8_lossy(&text)
                    )
                })
                .collect::<String>()
        });
        assert_eq!(texts[0], texts[1], "{name}");
        panic!("{name}: the archives differ, their members do not");
    }
}

#[test]
fn another_folder_zone_umask_locale_and_job_count_change_no_byte() {
    let first = World::new(&projects());
    let mut second = World::new(&projects());
    second.set("TZ", "Asia/Tokyo");
    second.set("LANG", "C");
    second.set("LC_ALL", "POSIX");
    second.set("SOURCE_DATE_EPOCH", "1");
    second.set("PYTHONHASHSEED", "7");
    second.set("CFLAGS", "-O0");
    second.set("MAKEFLAGS", "-j7");
    second.umask("077");
    same(&wheels(&first, &["--jobs", "1"]), &wheels(&second, &["--jobs", "5"]));
    for name in ["hub", "spoke", "rim"] {
        let [one, two] =
            [&first, &second].map(|w| w.read(&format!("result-{name}/share/wheelwright/package.json")));
        assert_eq!(one, two);
    }
}

#[test]
fn another_user_changes_no_byte() {
    let first = World::new(&projects());
    let mut second = World::new(&projects());
    second.as_ordinary_user();
    same(&wheels(&first, &[]), &wheels(&second, &[]));
}

#[test]
fn the_wheels_are_in_order() {
    let world = World::new(&projects());
    for (name, bytes) in wheels(&world, &[]) {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let members: Vec<(String, Option<u32>)> = (0..archive.len())
            .map(|i| archive.by_index(i).map(|m| (m.name().unwrap().into_owned(), m.unix_mode())).unwrap())
            .collect();
        let last = members.iter().position(|(n, _)| n.contains(".dist-info/")).unwrap();
        assert!(members[last..].iter().all(|(n, _)| n.contains(".dist-info/")), "{name}: {members:?}");
        assert!(members[..last].is_sorted(), "{name}: {members:?}");
        assert!(members.iter().all(|(_, m)| m.is_some_and(|m| m & 0o7777 == 0o644)), "{name}: {members:?}");
    }
}
