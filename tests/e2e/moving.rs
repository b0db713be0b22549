//! A store is a folder: it may be moved, copied, and collected while it is used.

use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::process::Command;

use crate::project::Project;
use crate::world::World;

fn projects() -> [Project; 2] {
    [
        Project::new("tool", "1.0")
            .needs("part")
            .console("tool", "tool:main")
            .code("def main(): import part; print(part.VERSION)\n"),
        Project::new("part", "2.0"),
    ]
}

#[test]
fn a_tar_of_a_store_is_a_full_cache_elsewhere() {
    let mut world = World::new(&projects());
    world.ok(&["build", "tool"]);
    let env_names = |folder: &str| {
        let mut names: Vec<String> = std::fs::read_dir(world.path(folder).join("envs"))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    std::fs::create_dir(world.path("moved here")).unwrap();
    let script = "tar -C \"$1\" -cf - . | tar -C \"$2\" -xpf - && chmod -R u+w \"$1\" && rm -rf \"$1\"";
    let (from, to) = (world.path("store"), world.path("moved here"));
    let status = Command::new("sh").args(["-c", script, "sh"]).args([&from, &to]).status().unwrap();
    assert!(status.success());
    let before = env_names("moved here");
    let mut moved = world.command(&["build", "tool", "--offline"]);
    let output = moved.env("WHEELWRIGHT_STORE", &to).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("0 built"), "{said}");
    assert_eq!(env_names("moved here"), before, "the result is the one that came along");
    let run = Command::new(world.work("result/bin/tool")).env_clear().output().unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), "2.0\n", "{run:?}");
    world.set("WHEELWRIGHT_STORE", to.display().to_string());
    world.ok(&["store", "verify"]);
}

#[test]
fn a_collection_leaves_the_environment_of_a_running_command_alone() {
    let world = World::new(&projects());
    let fifo = world.path("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success() && fifo.metadata().unwrap().file_type().is_fifo());
    let code = "import sys; print('on', end='', flush=True); open(sys.argv[1]).read(); \
                import part; sys.exit(7)";
    let mut command = world.command(&["run", "tool", "--", "python", "-c", code]);
    let mut child = command.arg(&fifo).spawn().unwrap();
    let mut said = [0; 2];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"on");
    world.ok(&["gc"]);
    std::fs::write(&fifo, "go").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    // It has ended: nothing keeps it now.
    world.ok(&["gc"]);
    assert_eq!(std::fs::read_dir(world.path("store/envs")).unwrap().count(), 0);
}
