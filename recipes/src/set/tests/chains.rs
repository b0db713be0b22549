//! Why one recipe needs another.

use super::*;

/// The chains between two recipes, a line for each requirement.
fn chains(set: &PackageSet, from: &str, to: &str, (builds, most): (bool, usize)) -> String {
    let (name, extras) = from.split_once('[').unwrap_or((from, ""));
    let extras = extras.trim_end_matches(']').split(',').filter(|e| !e.is_empty());
    let start =
        Member { id: set.select(name).unwrap(), extras: extras.map(|e| e.parse().unwrap()).collect() };
    let found = set.chains(&start, &to.parse().unwrap(), builds, most);
    let chain = |chain: &Vec<Link>| {
        let link = |link: &Link| format!("{} -> {}\n", link.sentence.replace('`', ""), set.label(link.to));
        chain.iter().map(link).collect::<String>()
    };
    let mut out = found.chains.iter().map(chain).collect::<Vec<_>>().join("\n");
    if found.more {
        out += "and more\n";
    }
    out
}

#[test]
fn the_shortest_chains_are_found_with_their_lines() {
    let set = set("
        app 1: far, left, right
        far 1: further
        further 1: goal
        left 1: goal>=1
        right 1: goal<3
        goal 3:
        goal 2: end
        end 1: app
    ");
    let both = (false, 10);
    expect_test::expect![[r#"
        app 1 wants left (app-1.toml:3) -> left 1
        left 1 wants goal>=1 (left-1.toml:3) -> goal 2

        app 1 wants right (app-1.toml:3) -> right 1
        right 1 wants goal<3 (right-1.toml:3) -> goal 2
    "#]]
    .assert_eq(&chains(&set, "app", "goal", both));
    assert!(chains(&set, "app", "goal", (false, 1)).ends_with("-> goal 2\nand more\n"));
    // The version counts that the closure has.
    assert_eq!(chains(&set, "app", "goal==3", both), "");
    assert_eq!(chains(&set, "end", "nowhere", both), "");
}

#[test]
fn an_extra_leads_on_only_where_it_is_asked_for() {
    let set = set("
        app 1: lib[fast]
        plain 1: lib
        lib 1: | extra fast: speed
        speed 1:
    ");
    expect_test::expect![[r#"
        app 1 wants lib[fast] (app-1.toml:3) -> lib 1
        lib[fast] 1 wants speed (lib-1.toml:5) -> speed 1
    "#]]
    .assert_eq(&chains(&set, "app", "speed", (false, 9)));
    assert_eq!(chains(&set, "plain", "speed", (false, 9)), "");
    assert!(chains(&set, "lib[fast]", "speed", (false, 9)).starts_with("lib[fast] 1 wants speed"));
}

#[test]
fn builds_have_versions_of_their_own() {
    let set = set("
        app 1: lib, tool<2
        lib 1: | build: backend
        backend 1: tool
        tool 2:
        tool 1: | build: deep
        deep 1:
    ");
    assert_eq!(chains(&set, "app", "backend", (false, 9)), "");
    expect_test::expect![[r#"
        app 1 wants lib (app-1.toml:3) -> lib 1
        lib 1 is built with backend (lib-1.toml:3) -> backend 1
        backend 1 wants tool (backend-1.toml:3) -> tool 2
    "#]]
    .assert_eq(&chains(&set, "app", "tool==2", (true, 9)));
    expect_test::expect![[r#"
        app 1 wants tool<2 (app-1.toml:3) -> tool 1
        tool 1 is built with deep (tool-1.toml:3) -> deep 1
    "#]]
    .assert_eq(&chains(&set, "app", "deep", (true, 9)));
}
