//! `export`: what other tools read.

use crate::project::{Project, hex};
use crate::world::World;

/// An application of a folder, over two projects of the index.
fn shop() -> World {
    let world = World::new(&[Project::new("core", "1.0"), Project::new("web", "2.0").needs("core>=1")]);
    let shop = Project::new("shop", "0.1").application().needs("web");
    world.unpack("shop", &shop);
    world.write("shop/shop.toml", shop.path_recipe("."));
    world.write(
        "wheelwright.toml",
        "[set]\nrecipes = [\"recipes\", \"shop\"]\n[env.site]\npackages = [\"web\"]\n[env.odd]\npackages = [\"core<1\"]\n",
    );
    world
}

fn hash_of(project: &Project) -> String {
    hex(&project.sdist())
}

#[test]
fn requirements_have_the_hashes_of_the_sources() {
    let world = shop();
    let output = world.ok(&["export", "requirements", "./shop"]);
    let core = hash_of(&Project::new("core", "1.0"));
    let web = hash_of(&Project::new("web", "2.0").needs("core>=1"));
    let lines: Vec<&str> = output.stdout.lines().skip(1).collect();
    let pinned = [
        "core==1.0 \\".to_owned(),
        format!("    --hash=sha256:{core}"),
        "web==2.0 \\".to_owned(),
        format!("    --hash=sha256:{web}"),
    ];
    // The harness hides hashes of standard output.
    assert_eq!((lines[0], lines[2]), (&*pinned[0], &*pinned[2]), "{output}");
    assert!(lines[4].starts_with("# shop 0.1 is left out: "), "{output}");
    assert!(output.stderr.contains("note: shop 0.1 is left out: "), "{output}");
    // An environment, into a file, again and again: the same bytes, and no request.
    let before = world.index.requests().len();
    let output = world.ok(&["export", "requirements", "--env", "site", "--output", "out/requirements.txt"]);
    assert!(output.stdout.trim_end().ends_with("out/requirements.txt"), "{output}");
    let text = world.read("out/requirements.txt");
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), pinned);
    world.ok(&["export", "requirements", "site", "--output", "out/requirements.txt"]);
    assert_eq!(world.read("out/requirements.txt"), text);
    assert_eq!(world.index.requests().len(), before);
    let versions = world.ok(&["export", "constraints", "--all"]).stdout;
    let versions: Vec<&str> = versions.lines().skip(1).collect();
    assert_eq!(versions, ["core==1.0", "shop==0.1", "toy==1.0", "web==2.0"]);
}

#[test]
fn a_lock_has_the_addresses_the_index_says() {
    let world = shop();
    world.ok(&["export", "pylock", "shop", "--output", "recipes/pylock.toml"]);
    world.ok(&["export", "pylock", "shop", "--output", "recipes/pylock.shop.toml"]);
    // Among the recipes it is none, so that this can be said again.
    let text = world.read("recipes/pylock.shop.toml");
    assert_eq!(text, world.read("recipes/pylock.toml"));
    let lock: toml::Table = text.parse().unwrap();
    assert_eq!(
        (lock["lock-version"].as_str(), lock["created-by"].as_str()),
        (Some("1.0"), Some("wheelwright"))
    );
    let packages = lock["packages"].as_array().unwrap();
    let [core, web] = packages.as_slice() else { panic!("{text}") };
    let sdist = &core["sdist"];
    assert_eq!(sdist["name"].as_str(), Some("core-1.0.tar.gz"));
    assert_eq!(sdist["url"].as_str(), Some(&*format!("{}/files/core-1.0.tar.gz", world.index.host())));
    let promised = hash_of(&Project::new("core", "1.0"));
    assert_eq!(sdist["hashes"]["sha256"].as_str(), Some(&*promised));
    assert_eq!(web["dependencies"][0]["name"].as_str(), Some("core"));
    // Another file under that name is not what the recipe promises.
    let other = Project::new("core", "1.0").code("A = 2\n");
    world.index.publish(&other);
    let output = world.fails(4, &["export", "pylock", "shop", "--refresh"]).to_string();
    assert!(output.contains("core 1.0"), "{output}");
}

#[test]
fn a_bill_of_materials_is_of_a_package_or_of_the_set() {
    let world = shop();
    // Not from standard output: the harness hides hashes there.
    let bill = |what: &str| -> serde_json::Value {
        world.ok(&["export", "cyclonedx", what, "--output", "bill.json"]);
        serde_json::from_str(&world.read("bill.json")).unwrap()
    };
    let one = bill("web");
    assert_eq!(one["metadata"]["component"]["bom-ref"], "pkg:pypi/web@2.0");
    assert_eq!(one["components"][0]["purl"], "pkg:pypi/core@1.0");
    assert_eq!(one["components"][0]["hashes"][0]["content"], hash_of(&Project::new("core", "1.0")));
    assert_eq!(one["dependencies"][1]["dependsOn"][0], "pkg:pypi/core@1.0");
    let all = bill("--all");
    assert_eq!(all["components"].as_array().unwrap().len(), 4, "{all}");
    assert!(world.ok(&["export", "dot", "shop"]).stdout.contains("\"shop 0.1\" -> \"web 2.0\";"));
    assert!(world.ok(&["export", "html", "shop"]).stdout.contains("<svg "));
}

#[test]
fn nix_files_are_imported_as_the_same_recipes() {
    let world = shop();
    let output = world.ok(&["export", "nix", "shop", "--output", "nix"]);
    assert_eq!(output.stdout.lines().count(), 4, "{output}");
    assert!(world.read("nix/shop/default.nix").contains("src = ../../shop;"), "{output}");
    let output = world.ok(&["--json", "import", "nix/packages.nix", "--into", "again"]).stdout;
    let told: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(told["recipes"].as_array().unwrap().len(), 3, "{output}");
    let web: toml::Table = world.read("again/web.toml").parse().unwrap();
    assert_eq!(web["source"], world.read("recipes/web-2.0.toml").parse::<toml::Table>().unwrap()["source"]);
    let shop: toml::Table = world.read("again/shop.toml").parse().unwrap();
    assert_eq!(shop["source"]["path"].as_str(), Some("../shop"));
    assert!(world.fails(2, &["export", "nix", "shop"]).stderr.contains("--output DIR"));
}

#[test]
fn what_cannot_be_exported_is_said() {
    let world = shop();
    let local = Project::new("local", "1.0");
    world.unpack("local", &local);
    world.write("recipes/local.toml", local.path_recipe("../local"));
    world.add(&Project::new("user", "1.0").needs("local"));
    for format in ["requirements", "pylock"] {
        let output = world.fails(2, &["export", format, "user"]).stderr;
        assert!(output.contains("local 1.0: its source is the folder"), "{output}");
        assert!(output.contains("and others need it"), "{output}");
    }
    let output = world.fails(2, &["export", "dot", "--env", "nowhere"]).stderr;
    assert!(output.contains("no `[env.nowhere]`") && output.contains("odd, site"), "{output}");
    let output = world.fails(2, &["export", "requirements", "--env", "odd"]).stderr;
    assert!(output.contains("error[W403]") || output.contains("core<1"), "{output}");
    assert!(world.fails(2, &["export", "requirements"]).stderr.contains("nothing is named"));
    assert!(world.fails(2, &["export", "poetry", "web"]).stderr.contains("requirements"));
}
