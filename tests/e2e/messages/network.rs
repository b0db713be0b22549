//! Bytes that do not come, or are not the promised ones.

use expect_test::expect;

use super::refusal;
use crate::index::Trouble;
use crate::project::Project;
use crate::server::{Reply, Server};
use crate::world::World;

#[test]
fn a_project_or_file_that_the_index_does_not_have() {
    let world = World::new(&[]);
    world.recipe("hub-1.0", &Project::new("hub", "1.0").recipe());
    expect![[r#"
        error: fetch of hub 1.0 failed: no project `hub` on the index
          recipe: recipes/hub-1.0.toml:1
          hint: looked in [INDEX]/simple/ (from PIP_INDEX_URL)
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "hub"]));
    world.add(&Project::new("hub", "1.0"));
    world.index.trouble("hub-1.0.tar.gz", Trouble::Gone);
    expect![[r#"
        error: fetch of hub 1.0 failed: failed to fetch `hub-1.0.tar.gz`
          failed to get `[INDEX]/files/hub-1.0.tar.gz`
          the server answered 404 (Not Found)
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub", "--refresh"]));
}

#[test]
fn an_index_address_that_is_none_is_told_without_its_password() {
    let mut world = World::new(&[Project::new("hub", "1.0")]);
    world.set("PIP_INDEX_URL", "user:hunter2@index.test/simple");
    expect![[r#"
        error: 2 packages failed alike: hub 1.0, toy 1.0
          fetch of hub 1.0: cannot use the index `index.test/simple` (from PIP_INDEX_URL)
            its address begins with none of `https:`, `http:` and `file:`
            recipe: recipes/hub-1.0.toml:1
          fetch of toy 1.0: cannot use the index `index.test/simple` (from PIP_INDEX_URL)
            its address begins with none of `https:`, `http:` and `file:`
            recipe: recipes/toy-1.0.toml:1
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "hub"]));
}

#[test]
fn an_index_that_fails_is_passed_over_and_named() {
    let mut world = World::new(&[Project::new("hub", "1.0")]);
    let closed = Server::start(|_| Reply::status(403));
    world.set("PIP_EXTRA_INDEX_URL", closed.url("/simple/"));
    world.ok(&["build", "hub"]).says(&["hub-1.0.tar.gz: an index was passed over", "403 (Forbidden)"]);
}

#[test]
fn a_version_that_the_index_does_not_have() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.recipe("hub-1.0", &Project::new("hub", "1.5").recipe());
    expect![[r#"
        error: fetch of hub 1.5 failed: `hub` has no version 1.5 on the index
          recipe: recipes/hub-1.0.toml:1
          hint: the nearest versions are 1.0
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "hub"]));
}

#[test]
fn a_truncated_download() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.index.trouble("hub-1.0.tar.gz", Trouble::CutAfter(100));
    expect![[r#"
        error: fetch of hub 1.0 failed: failed to fetch `hub-1.0.tar.gz`
          failed to download `[INDEX]/files/hub-1.0.tar.gz`
          the download was cut short after 100 of 5143 bytes
          request or response body error: error reading a body from connection: end of file before message length reached
          gave up after 5 tries
    "#]].assert_eq(&refusal(&world, 3, &["build", "hub"]));
}

#[test]
fn a_server_that_fails_for_a_while_is_asked_again() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.index.trouble("hub-1.0.tar.gz", Trouble::Failing(503, 2));
    world.ok(&["build", "hub"]);
}

#[test]
fn bytes_that_the_index_disowns_become_no_recipe() {
    let world = World::empty();
    let project = Project::new("hub", "1.0");
    world.index.publish(&project);
    world.index.trouble(&project.file_name(), Trouble::Swapped(project.clone().code("X = 1\n").sdist()));
    let output = world.fails(4, &["add", "--no-solve", "hub"]);
    output.says(&["failed to download `hub-1.0.tar.gz`", "the index says sha256-"]);
    assert!(!world.work("recipes/hub.toml").exists() && !world.work("hub.toml").exists());
}

#[test]
fn hash_mismatches_are_shown_together_and_accepted_on_demand() {
    let projects = ["hub", "rim", "spoke"].map(|name| Project::new(name, "1.0"));
    let world = World::new(&projects);
    for project in &projects {
        world.index.trouble(&project.file_name(), Trouble::Swapped(project.clone().code("X = 1\n").sdist()));
        let recipe = project.recipe().replace("[source]", "[source] # where it comes from");
        world.recipe(&format!("{}-1.0", project.name), &recipe);
    }
    expect![[r#"
        error: 3 packages failed alike: hub 1.0, rim 1.0, spoke 1.0
          fetch of hub 1.0: hash mismatch
            specified: sha256-MiuC6H2GztGBofzUbXp8ye3+2kgdTzAEsTCW3HasSiQ= (recipes/hub-1.0.toml:6:8)
            got:       sha256-kYsW4fMeLvjDXsqpZjHM/SOZzDQbKpD73j5h1aZ0ULY=
            from:      [INDEX]/files/hub-1.0.tar.gz
            hint: if the new bytes are right, --accept-hash writes their hash
          fetch of rim 1.0: hash mismatch
            specified: sha256-lRC9PdNDTARGXYD/SRv6J8Qi5bWtMoxx8WRxoZbp9b8= (recipes/rim-1.0.toml:6:8)
            got:       sha256-Dubn1pshquqNVWvC9kfZOmXJj5ob38iS/AhmTaQaMNA=
            from:      [INDEX]/files/rim-1.0.tar.gz
          fetch of spoke 1.0: hash mismatch
            specified: sha256-FeiebRqGYYXpNAg313AsUYncgHcYwUbx6ndbHN25iI8= (recipes/spoke-1.0.toml:6:8)
            got:       sha256-qJSz51xgpfbp601u1GprqqceHOAzcn0EDTDUdCw2T/0=
            from:      [INDEX]/files/spoke-1.0.tar.gz
    "#]]
    .assert_eq(&refusal(&world, 4, &["build", "hub", "rim", "spoke"]));
    world.ok(&["build", "hub", "rim", "spoke", "--accept-hash"]);
    let recipe = world.read("recipes/hub-1.0.toml");
    assert!(recipe.contains("# where it comes from"), "{recipe}");
    assert!(recipe.contains(&projects[0].clone().code("X = 1\n").hash()), "{recipe}");
}

#[test]
fn hashes_that_can_be_written_are_though_others_cannot() {
    let world = World::new(&[Project::new("hub", "1.0"), Project::new("hub", "2.0")]);
    // One line for two versions, which differ; one of a third package's own.
    world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\"]\noverlays = [\"over\"]\n");
    let shared = "extends = true\npname = \"hub\"\n[source]\nhash = \"\"\n";
    world.write("over/hub.toml", shared);
    let rim = Project::new("rim", "1.0");
    world.add(&rim);
    world.recipe("rim-1.0", &rim.recipe().replace(&rim.hash(), ""));
    let output = world.fails(4, &["build", "hub==1.0", "hub==2.0", "rim", "--accept-hash", "--json"]);
    output.says(&["wrote the new hash into recipes/rim-1.0.toml", "several recipes share it"]);
    assert!(world.read("recipes/rim-1.0.toml").contains(&rim.hash()));
    assert_eq!(world.read("over/hub.toml"), shared);
    assert!(output.ran().contains(&"rim 1.0 build".to_owned()), "the run's report is there: {output}");
    // The same bytes for both are no conflict, and written once.
    let first = Project::new("hub", "1.0");
    world.index.serve("hub", "hub-2.0.tar.gz", first.sdist());
    let output = world.run(&["build", "hub==1.0", "hub==2.0", "--accept-hash", "--refresh"]);
    output.says(&["wrote the new hash into over/hub.toml"]).does_not_say("several recipes share it");
    assert!(world.read("over/hub.toml").contains(&first.hash()), "{output}");
}

#[test]
fn the_hash_of_a_fetched_patch_is_accepted_too() {
    let patch = "--- a/src/hub/__init__.py\n+++ b/src/hub/__init__.py\n@@ -1 +1 @@\n-VERSION = \"1.0\"\n+VERSION = \"patched\"\n";
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.index.serve("patches", "fix.patch", patch.as_bytes().to_vec());
    let address = format!("{}/files/fix.patch", world.index.host());
    let wrong = crate::project::sri(b"another");
    let promised = format!("[source]\npatches = [{{ url = \"{address}\", hash = \"{wrong}\" }}] # mended");
    world.recipe("hub-1.0", &Project::new("hub", "1.0").recipe().replace("[source]", &promised));
    world.fails(4, &["build", "hub"]).says(&["source of hub 1.0 failed: hash mismatch", "--accept-hash"]);
    world.ok(&["build", "hub", "--accept-hash"]);
    let recipe = world.read("recipes/hub-1.0.toml");
    assert!(
        recipe.contains(&crate::project::sri(patch.as_bytes())) && recipe.contains("# mended"),
        "{recipe}"
    );
    assert_eq!(world.python("import hub; print(hub.VERSION)"), "patched");
}

#[test]
fn an_empty_hash_asks_for_the_one_to_paste() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    let hash = Project::new("hub", "1.0").hash();
    world.recipe("hub-1.0", &Project::new("hub", "1.0").recipe().replace(&hash, ""));
    let said = refusal(&world, 4, &["build", "hub"]);
    expect![[r#"
        error: fetch of hub 1.0 failed: no hash is promised; `[INDEX]/files/hub-1.0.tar.gz` has sha256-MiuC6H2GztGBofzUbXp8ye3+2kgdTzAEsTCW3HasSiQ=
          asked for in recipes/hub-1.0.toml:6:8
          hint: write `hash = "sha256-MiuC6H2GztGBofzUbXp8ye3+2kgdTzAEsTCW3HasSiQ="` there, or use --accept-hash
    "#]].assert_eq(&said);
    assert!(said.contains(&hash), "{said}");
}

#[test]
fn a_bumped_version_with_the_old_hash_is_stale() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.ok(&["build", "hub"]);
    let (old, new) = (Project::new("hub", "1.0"), Project::new("hub", "1.1"));
    world.index.publish(&new);
    world.recipe("hub-1.0", &new.recipe().replace(&new.hash(), &old.hash()));
    expect![[r#"
        error: fetch of hub 1.1 failed: stale hash: sha256-MiuC6H2GztGBofzUbXp8ye3+2kgdTzAEsTCW3HasSiQ= is that of `hub-1.0.tar.gz` (hub 1.0), not of hub 1.1
          specified: sha256-MiuC6H2GztGBofzUbXp8ye3+2kgdTzAEsTCW3HasSiQ= (recipes/hub-1.0.toml:6:8)
          got:       sha256-fs7SZ9hxlAMEb2b0B1FiwRychgnGQyx4xJc4XHlgurQ=
          from:      [INDEX]/files/hub-1.1.tar.gz
          hint: if the new bytes are right, --accept-hash writes their hash
    "#]].assert_eq(&refusal(&world, 4, &["build", "hub"]));
}

#[test]
fn offline_without_the_bytes() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    expect![[r#"
        error: 2 packages failed alike: hub 1.0, toy 1.0
          fetch of hub 1.0: `hub` is not in the store, and this run is offline
            hint: run once without --offline to fill the store
          fetch of toy 1.0: `toy` is not in the store, and this run is offline
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub", "--offline"]));
    world.ok(&["build", "hub"]);
    let requests = world.index.requests();
    world.ok(&["build", "hub", "--offline"]);
    assert_eq!(world.index.requests(), requests);
}

#[test]
fn no_certificates_for_an_https_index() {
    let mut world = World::new(&[Project::new("hub", "1.0")]);
    world.set("PIP_INDEX_URL", "https://127.0.0.1:9/simple/");
    let missing = world.path("no-such.pem").display().to_string();
    world.set("SSL_CERT_FILE", &missing);
    world.set("SSL_CERT_DIR", &missing);
    expect![[r#"
        error: 2 packages failed alike: hub 1.0, toy 1.0
          fetch of hub 1.0: failed to read the project page of `hub`
            failed to read the CA bundle `[ROOT]/no-such.pem` that SSL_CERT_FILE names
            No such file or directory (os error 2)
            hint: correct SSL_CERT_FILE, or install `ca-certificates` and unset it
          fetch of toy 1.0: failed to read the project page of `toy`
            failed to read the CA bundle `[ROOT]/no-such.pem` that SSL_CERT_FILE names
            No such file or directory (os error 2)
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub"]));
}

#[test]
fn an_index_that_is_not_there() {
    let mut world = World::new(&[Project::new("hub", "1.0")]);
    // Reserved, and nobody listens.
    world.set("PIP_INDEX_URL", "http://user:secret@127.0.0.1:1/simple/");
    let said = refusal(&world, 3, &["build", "hub"]);
    expect![[r#"
        error: 2 packages failed alike: hub 1.0, toy 1.0
          fetch of hub 1.0: failed to read the project page of `hub`
            failed to get `http://127.0.0.1:1/simple/hub/`
            error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
            gave up after 5 tries
          fetch of toy 1.0: failed to read the project page of `toy`
            failed to get `http://127.0.0.1:1/simple/toy/`
            error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
            gave up after 5 tries
    "#]].assert_eq(&said);
    assert!(!said.contains("secret"), "{said}");
}
