//! Every format on recipe text; Nix read back by `import nix`.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::book::{Layer, LayerFile, assemble};
use crate::diag::{Severity, SourceFile};
use crate::import;
use crate::target::tests::linux;

const HASH: &str = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=";

fn set_of(files: &[(&str, &str)]) -> PackageSet {
    let file = |(path, text): &(&str, &str)| LayerFile {
        file: Arc::new(SourceFile { path: (*path).to_owned(), text: (*text).to_owned() }),
        pyproject: None,
    };
    let layer = Layer { name: "recipes".into(), files: files.iter().map(file).collect() };
    let (book, findings) = assemble(&[layer]);
    let errors: Vec<String> =
        findings.iter().filter(|f| f.severity == Severity::Error).map(crate::diag::Finding::render).collect();
    assert!(errors.is_empty(), "{errors:?}");
    PackageSet::new(book.recipes, linux(12))
}

fn id_of(set: &PackageSet, name: &str) -> RecipeId {
    set.ids().find(|id| set.get(*id).pname.as_ref() == name).unwrap()
}

fn selected<'s>(set: &'s PackageSet, names: &[&str]) -> Selection<'s> {
    let goals: Vec<Member> = names.iter().map(|name| id_of(set, name).into()).collect();
    let closures: Vec<Closure> = goals.iter().map(|g| set.run_closure(g.id, &[]).unwrap()).collect();
    Selection::of(set, &closures, &goals)
}

/// An application of a folder over two packages of the index and one at an address.
fn shop(web_source: &str) -> PackageSet {
    let web = format!(
        "pname = \"Web\"\nversion = \"3.1\"\nrequires-python = \">=3.9\"\nbuild-system = []\n\
         dependencies = [\"click>=8\", \"colorama; sys_platform == 'win32'\"]\n{web_source}\n\
         [optional-dependencies]\nasync = [\"loop\"]\n[meta]\nlicense = \"BSD-3-Clause\"\n\
         description = \"A <small> \\\"web\\\"\"\nhomepage = \"https://web.example/?a&b\"\n"
    );
    let index = |name: &str| {
        format!(
            "pname = \"{name}\"\nversion = \"8.0\"\nbuild-system = []\n[source]\npypi = \"{name}\"\nhash = \"{HASH}\"\n"
        )
    };
    let looped = format!(
        "pname = \"loop\"\nversion = \"1.0+local\"\nbuild-system = []\n[source]\n\
         url = \"https://token@files.example/loop-1.0.tar.gz\"\nhash = \"{HASH}\"\n"
    );
    set_of(&[
        (
            "shop.toml",
            "kind = \"application\"\npname = \"shop\"\nversion = \"1.0\"\nbuild-system = []\n\
                       dependencies = [\"web[async]\"]\n[source]\npath = \".\"\n",
        ),
        ("web.toml", &web),
        ("click.toml", &index("click")),
        ("colorama.toml", &index("colorama")),
        ("loop.toml", &looped),
    ])
}

fn of_the_index() -> PackageSet {
    shop(&format!("[source]\npypi = \"web\"\nhash = \"{HASH}\"\n"))
}

#[test]
fn requirements_pin_what_one_interpreter_needs() {
    let set = of_the_index();
    let text = requirements(&selected(&set, &["shop"])).unwrap();
    expect_test::expect![[r#"
        # Exported by wheelwright for CPython 3.12.4 on linux x86_64.
        click==8.0 \
            --hash=sha256:08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560
        loop @ https://files.example/loop-1.0.tar.gz \
            --hash=sha256:08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560
        web[async]==3.1 \
            --hash=sha256:08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560
        # shop 1.0 is left out: its source is the folder `.`, which is no file with a hash
    "#]]
    .assert_eq(&text.text);
    assert_eq!(
        text.notes,
        ["shop 1.0 is left out: its source is the folder `.`, which is no file with a hash"]
    );
    expect_test::expect![[r#"
        # Exported by wheelwright for CPython 3.12.4 on linux x86_64.
        click==8.0
        loop==1.0+local
        shop==1.0
        web==3.1
    "#]]
    .assert_eq(&constraints(&selected(&set, &["shop"])).text);
}

#[test]
fn what_others_need_cannot_be_left_out() {
    let rev = "c".repeat(40);
    let sources = [
        "[source]\npath = \"../web\"\n".to_owned(),
        "[source]\npypi = \"web\"\nhash = \"\"\n".to_owned(),
        format!("[source]\nurl = \"https://x.example/w.tar.gz\"\nunpack = true\nhash = \"{HASH}\"\n"),
        format!("[source]\ngit = \"https://x.example/w.git\"\ntag = \"v3\"\nhash = \"{HASH}\"\n"),
    ];
    for source in &sources {
        let set = shop(source);
        let selection = selected(&set, &["shop"]);
        for outcome in [requirements(&selection), pylock(&selection, &BTreeMap::new())] {
            let why = outcome.unwrap_err();
            assert!(why[0].starts_with("web 3.1: ") && why[0].ends_with("and others need it"), "{why:?}");
        }
        assert!(constraints(&selection).text.contains("web==3.1"));
    }
    // A commit is enough for a lock file, and too little for pip's hash mode.
    let set = shop(&format!(
        "[source]\ngit = \"https://secret@x.example/w.git\"\nrev = \"{rev}\"\nhash = \"{HASH}\"\n"
    ));
    let selection = selected(&set, &["web"]);
    let text = requirements(&selection).unwrap();
    assert!(text.text.contains("# web 3.1 is left out: its source is a commit"), "{}", text.text);
    assert!(requirements(&selected(&set, &["shop"])).is_err());
    let found = BTreeMap::from([(id_of(&set, "click"), located("click-8.0.tar.gz"))]);
    let lock = pylock(&selection, &found).unwrap().text;
    assert!(lock.contains("url = \"https://x.example/w.git\"") && !lock.contains("secret"), "{lock}");
    let lock: toml::Table = lock.parse().unwrap();
    assert_eq!(lock["packages"][1]["vcs"]["commit-id"].as_str(), Some(&*rev));
}

fn located(name: &str) -> Located {
    Located { name: name.to_owned(), url: format!("https://files.example/{name}"), size: Some(7) }
}

#[test]
fn a_lock_has_every_key_that_pep_751_requires() {
    let set = of_the_index();
    let selection = selected(&set, &["shop"]);
    let why = pylock(&selection, &BTreeMap::new()).unwrap_err();
    assert_eq!(why, ["click 8.0: its address is not known", "web 3.1: its address is not known"]);
    let found = BTreeMap::from([
        (id_of(&set, "click"), located("click-8.0-py3-none-any.whl")),
        (id_of(&set, "web"), located("web-3.1.tar.gz")),
    ]);
    let text = pylock(&selection, &found).unwrap().text;
    expect_test::expect![[r#"
        lock-version = "1.0"
        environments = ["implementation_name == 'cpython' and platform_machine == 'x86_64' and python_version == '3.12' and sys_platform == 'linux'"]
        created-by = "wheelwright"
        # shop 1.0 is left out: its source is the folder `.`, which is no file with a hash

        [[packages]]
        name = "click"
        version = "8.0"
        [[packages.wheels]]
        name = "click-8.0-py3-none-any.whl"
        url = "https://files.example/click-8.0-py3-none-any.whl"
        size = 7
        hashes = { sha256 = "08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560" }

        [[packages]]
        name = "loop"
        version = "1.0+local"
        [packages.archive]
        url = "https://files.example/loop-1.0.tar.gz"
        hashes = { sha256 = "08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560" }

        [[packages]]
        name = "web"
        version = "3.1"
        requires-python = ">=3.9"
        dependencies = [{ name = "click" }, { name = "loop" }]
        [packages.sdist]
        name = "web-3.1.tar.gz"
        url = "https://files.example/web-3.1.tar.gz"
        size = 7
        hashes = { sha256 = "08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560" }
    "#]]
    .assert_eq(&text);
    let lock: toml::Table = text.parse().unwrap();
    assert_eq!(lock["packages"].as_array().unwrap().len(), 3);
    let marker = lock["environments"][0].as_str().unwrap();
    let marker: crate::name::MarkerTree = marker.parse().unwrap();
    assert!(marker.evaluate(&set.target().markers, &[]));
}

#[test]
fn a_bill_of_materials_names_each_component_once() {
    let set = of_the_index();
    let text = cyclonedx(&selected(&set, &["shop"])).text;
    assert_eq!(text, cyclonedx(&selected(&set, &["shop"])).text);
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert_eq!(bill["metadata"]["component"]["purl"], "pkg:generic/shop@1.0");
    let components = bill["components"].as_array().unwrap();
    let refs: Vec<&str> = components.iter().map(|c| c["bom-ref"].as_str().unwrap()).collect();
    let address = "pkg:pypi/loop@1.0%2Blocal?download_url=https://files.example/loop-1.0.tar.gz";
    assert_eq!(refs, ["pkg:pypi/click@8.0", address, "pkg:pypi/web@3.1"]);
    let web = &components[2];
    assert_eq!(web["licenses"][0]["expression"], "BSD-3-Clause");
    assert_eq!(web["hashes"][0]["alg"], "SHA-256");
    assert_eq!(web["hashes"][0]["content"].as_str().unwrap().len(), 64);
    let needs = &bill["dependencies"].as_array().unwrap()[3];
    assert_eq!((&needs["ref"], &needs["dependsOn"][0]), (&refs[2].into(), &refs[0].into()));
    assert!(!text.contains("serialNumber") && !text.contains("timestamp") && !text.contains("token"));
    // What is of two packages is a bill of no single one.
    let two: serde_json::Value =
        serde_json::from_str(&cyclonedx(&selected(&set, &["click", "loop"])).text).unwrap();
    assert_eq!((two["metadata"].get("component"), two["components"].as_array().unwrap().len()), (None, 2));
}

#[test]
fn the_graph_is_drawn_in_layers() {
    let set = of_the_index();
    let selection = selected(&set, &["shop"]);
    expect_test::expect![[r#"
        digraph packages {
            rankdir=LR;
            node [shape=box];
            "click 8.0";
            "loop 1.0+local";
            "shop 1.0" [style=bold];
            "web 3.1";
            "shop 1.0" -> "web 3.1";
            "web 3.1" -> "click 8.0";
            "web 3.1" -> "loop 1.0+local";
        }
    "#]]
    .assert_eq(&dot(&selection));
    let picture = svg(&selection);
    let left = |label: &str| {
        let before = picture.split(&format!(">{label}</text>")).next().unwrap();
        before.rsplit("<text x=\"").next().unwrap().split('"').next().unwrap().parse::<usize>().unwrap()
    };
    assert!(left("shop 1.0") < left("web 3.1") && left("web 3.1") < left("click 8.0"), "{picture}");
    assert_eq!(left("click 8.0"), left("loop 1.0+local"));
    assert_eq!((picture.matches("<rect").count(), picture.matches("<path").count()), (4, 3));
    let page = html(&selection);
    assert!(page.contains(&picture) && page.contains("A &lt;small&gt; &quot;web&quot;"), "{page}");
    assert!(page.contains("<a href=\"https://web.example/?a&amp;b\">web</a>"), "{page}");
}

#[test]
fn a_circle_and_a_long_chain_are_drawn() {
    let mut texts = vec![("a".to_owned(), "b".to_owned()), ("b".to_owned(), "a".to_owned())];
    texts.extend((0..3000).map(|n| (format!("c{n}"), format!("c{}", (n + 1).min(2999)))));
    let files: Vec<(String, String)> = texts
        .iter()
        .map(|(name, need)| {
            let text = format!("pname = \"{name}\"\nversion = \"1\"\nbuild-system = []\ndependencies = [\"{need}\"]\n[source]\npath = \".\"\n");
            (format!("{name}.toml"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let set = set_of(&files);
    assert_eq!(svg(&selected(&set, &["a"])).matches("<path").count(), 2);
    assert_eq!(svg(&selected(&set, &["c0"])).matches("<rect").count(), 3000);
}

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipe-examples")
}

fn values(text: &str) -> toml::Table {
    toml::from_str(text).unwrap()
}

/// The packages of an export, read back as recipes of the workspace's folder.
fn read_back(found: &NixSet) -> Vec<import::Converted> {
    let mut files = import::nix::Files::new();
    for file in &found.files {
        let path = format!("nix/{}", file.path);
        let file = Arc::new(SourceFile { path: path.clone(), text: file.text.clone() });
        import::nix::check(&file).unwrap_or_else(|f| panic!("{}\n{}", f.render(), file.text));
        files.insert(path, file);
    }
    import::nix::import(&files, "nix/packages.nix", "").recipes
}

#[test]
fn nix_files_are_the_recipe_again() {
    let read = |path: &str| std::fs::read_to_string(examples().join(path)).unwrap();
    let flask = format!(
        "pname = \"flask\"\nversion = \"3.1.0\"\nbuild-system = [\"flit-core\"]\n[source]\npypi = \"flask\"\nhash = \"{HASH}\"\n"
    );
    let (toolz, demo) = (read("toolz.toml"), read("flask-app/demo.toml"));
    let set = set_of(&[("toolz.toml", &toolz), ("demo.toml", &demo), ("flask.toml", &flask)]);
    let found = nix(&selected(&set, &["toolz", "demo-flask-vuejs-rest"]), &|_, _| "../..".to_owned());
    assert_eq!(found.notes, [""; 0]);
    let file = |path: &str| &found.files.iter().find(|f| f.path == path).unwrap().text;
    expect_test::expect![[r#"
        {
          buildPythonPackage,
          fetchPypi,
          setuptools,
          wheel,
        }:

        buildPythonPackage rec {
          pname = "toolz";
          version = "0.10.0";
          pyproject = true;

          src = fetchPypi {
            inherit pname version;
            hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=";
          };

          build-system = [
            setuptools
            wheel
          ];

          doCheck = false;
        }
    "#]]
    .assert_eq(file("toolz/default.nix"));
    expect_test::expect![[r#"
        # pkgs.callPackage ./packages.nix { }
        { python3 }:

        let
          python = python3.override {
            self = python;
            packageOverrides = final: prev: {
              demo-flask-vuejs-rest = final.callPackage ./demo-flask-vuejs-rest/default.nix { };
              flask = final.callPackage ./flask/default.nix { };
              toolz = final.callPackage ./toolz/default.nix { };
            };
          };
        in
        {
          inherit (python.pkgs)
            demo-flask-vuejs-rest
            flask
            toolz
            ;
        }
    "#]]
    .assert_eq(file("packages.nix"));
    let back = read_back(&found);
    let of = |name: &str| values(&back.iter().find(|r| r.pname == name).unwrap().text);
    assert_eq!(of("toolz"), values(&toolz));
    assert_eq!(of("demo-flask-vuejs-rest"), values(&demo));
    assert_eq!(of("flask"), values(&flask));
    assert!(back.iter().all(|r| r.todos.is_empty()), "{back:?}");
}

/// A recipe that says nearly all there is to say.
const RICH: &str = r#"
pname = "rich-one"
version = "1.2"
requires-python = ">=3.9,<3.14"
build-system = ["setuptools"]
dependencies = ["dep[more]", "old; python_version < '3.11'", "lin; sys_platform != 'darwin'"]
namespaces = ["ns"]
remove-tests = false

[optional-dependencies]
fast = ["dep"]
slow = ["old"]

[source]
pypi = "rich-one"
file = "rich-one-{version}.zip"
hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
patches = ["fix.patch"]

[build]
config-settings.a = "b"
env.NAME = "a ${b} \"c\""

[phases]
post-patch = '''
sed -i 's/a/''${b}/' x.py
  echo "indented"
'''

[external]
host-requires = ["pkg:generic/openssl", "pkg:generic/other"]
build-requires = ["pkg:generic/pkg-config", "virtual:compiler/c"]

[check]
runner = "pytest"
inputs = ["pytest", "dep"]
imports = ["rich_one", "rich_one.sub"]
flags = ["-x"]
disabled-tests = ["slow"]
disabled-paths = ["tests/net"]

[relax]
dependencies = ["dep"]
remove = ["old"]

[wrap]
set.A = "b c"
prefix.PATH = { sep = ":", values = ["/x"] }
add-flags = ["--one", "two words"]

[meta]
description = "Rich"
homepage = "https://rich.example"
changelog = "https://rich.example/changes"
license = "MIT AND Zlib"
main-program = "rich"
"#;

#[test]
fn every_field_that_nixpkgs_has_comes_back() {
    let simple = |name: &str| {
        format!(
            "pname = \"{name}\"\nversion = \"1\"\nbuild-system = []\n[source]\npath = \".\"\n[optional-dependencies]\nmore = []\n"
        )
    };
    let (dep, old, lin, test) = (simple("dep"), simple("old"), simple("lin"), simple("pytest"));
    let set =
        set_of(&[("r.toml", RICH), ("d.toml", &dep), ("o.toml", &old), ("l.toml", &lin), ("p.toml", &test)]);
    let found = nix(&selected(&set, &["rich-one"]), &|_, _| "../..".to_owned());
    assert_eq!(found.notes, [""; 0]);
    let back = read_back(&found);
    let rich = back.iter().find(|r| r.pname == "rich-one").unwrap();
    assert!(rich.todos.is_empty(), "{}", rich.text);
    assert_eq!(values(&rich.text), values(RICH), "{}", rich.text);
    // What an extra asks of itself is no condition.
    let told = RICH.replace("slow = [\"old\"]", "slow = [\"old; extra == 'slow'\"]");
    let set = set_of(&[("r.toml", &told), ("d.toml", &dep), ("o.toml", &old), ("l.toml", &lin)]);
    let again = nix(&selected(&set, &["rich-one"]), &|_, _| "../..".to_owned());
    assert_eq!(again.notes, [""; 0]);
    assert!(again.files.iter().any(|f| f.text.contains("    slow = [ old ];")), "{again:?}");
}

#[test]
fn what_nixpkgs_has_no_words_for_is_told() {
    let text = format!(
        "pname = \"odd\"\nversion = \"1\"\nbuild-system = []\n\
         dependencies = [\"with\", \"dep; platform_system == 'Windows'\", \"dep>=0; os_name == 'posix'\"]\n\
         requires-python = \"!=3.10.*\"\n[source]\nurl = \"https://x.example/odd.tar.gz\"\nhash = \"{HASH}\"\n\
         [build]\nmemory = \"1 GiB\"\n[meta]\nmaintainers = [\"ann\"]\n"
    );
    let simple = |name: &str| {
        format!("pname = \"{name}\"\nversion = \"1\"\nbuild-system = []\n[source]\npath = \".\"\n")
    };
    let (with, dep) = (simple("with"), simple("dep"));
    let set = set_of(&[("odd.toml", &text), ("with.toml", &with), ("dep.toml", &dep)]);
    let found = nix(&selected(&set, &["odd"]), &|_, _| "../..".to_owned());
    let odd = &found.files.iter().find(|f| f.path == "odd/default.nix").unwrap().text;
    for word in ["`with`", "requires-python", "Windows", "os_name", "memory", "maintainers"] {
        assert!(found.notes.iter().any(|n| n.contains(word)), "{word}: {:?}", found.notes);
        assert!(odd.lines().any(|l| l.starts_with("# not exported: ") && l.contains(word)), "{word}: {odd}");
    }
    assert!(odd.contains("dependencies = [\n    dep # >=0\n  ];"), "{odd}");
    import::nix::check(&Arc::new(SourceFile { path: "odd.nix".into(), text: odd.clone() })).unwrap();
}

/// Real recipes: name, version, hash and what is needed come back.
#[test]
fn every_recipe_of_the_corpus_can_be_read_back() {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(examples().join("corpus")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.push((name, std::fs::read_to_string(&path).unwrap()));
    }
    files.sort();
    assert!(files.len() >= 60, "only {} recipes", files.len());
    for (path, text) in &files {
        let set = set_of(&[(path, text)]);
        let id = set.ids().next().unwrap();
        let closure = Closure { members: vec![id.into()], purpose: crate::set::Purpose::Run(id, Vec::new()) };
        let selection = Selection::of(&set, &[closure], &[id.into()]);
        let back = read_back(&nix(&selection, &|_, _| "../..".to_owned()));
        let [one] = back.as_slice() else { panic!("{path}: {back:?}") };
        assert!(one.problems.is_empty(), "{path}: {:?}\n{}", one.problems, one.text);
        let (old, new) = (values(text), values(&one.text));
        assert_eq!(old["pname"], new["pname"], "{path}");
        assert_eq!(old["version"], new["version"], "{path}");
        assert_eq!(old["source"].get("hash"), new["source"].get("hash"), "{path}");
        let names = |table: &toml::Table| {
            let all = table.get("dependencies").and_then(|d| d.as_array()).cloned().unwrap_or_default();
            let name = |v: &toml::Value| {
                let requirement: crate::name::Requirement = v.as_str().unwrap().parse().unwrap();
                let marker = &requirement.parsed.marker;
                let holds = marker.is_true() || marker.evaluate(&linux(12).markers, &[]);
                holds.then(|| requirement.name().to_string())
            };
            all.iter().filter_map(name).collect::<BTreeSet<String>>()
        };
        assert_eq!(names(&old), names(&new), "{path}\n{}", one.text);
    }
}

#[test]
fn an_extra_that_nixpkgs_may_not_have_is_no_error_there() {
    let recipe = |name: &str, more: &str| {
        format!("pname = \"{name}\"\nversion = \"1\"\nbuild-system = []\n{more}[source]\npath = \".\"\n")
    };
    let (own, far) =
        ("[optional-dependencies]\nfast = []\n", "dependencies = [\"near[fast]\", \"far[fast]\"]\n");
    let near = format!("{}{own}", recipe("near", ""));
    let set = set_of(&[("a.toml", &recipe("a", far)), ("n.toml", &near), ("f.toml", &recipe("far", ""))]);
    let found = nix(&selected(&set, &["a"]), &|_, _| "..".to_owned());
    let text = &found.files.iter().find(|f| f.path == "a/default.nix").unwrap().text;
    let asked = "  ++ near.optional-dependencies.fast\n  ++ far.optional-dependencies.fast or [ ]";
    assert!(text.contains(asked), "{text}");
    let back = read_back(&found);
    let again = values(&back.iter().find(|r| r.pname == "a").unwrap().text);
    assert_eq!(again["dependencies"], values(far)["dependencies"]);
}
