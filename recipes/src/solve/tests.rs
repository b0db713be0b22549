//! Every file of `scenarios/` is a small index and what must come of wishes.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::str::FromStr as _;

use super::*;
use crate::marker::{ExtraSplit, split_extra};
use crate::target::tests::linux;

/// An index in data.
#[derive(Default)]
struct Data {
    near: BTreeMap<PackageName, Vec<Candidate>>,
    index: BTreeMap<PackageName, Vec<Candidate>>,
    needs: BTreeMap<(PackageName, Version), Result<Needs, String>>,
    asked: RefCell<BTreeSet<PackageName>>,
    read: Cell<usize>,
}

impl Catalog for Data {
    type Error = String;

    fn near(&self, name: &PackageName) -> Vec<Candidate> {
        self.near.get(name).cloned().unwrap_or_default()
    }

    fn all(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, String> {
        if name.as_ref() == "the-index-is-down" {
            return Err("the index is down".to_owned());
        }
        self.asked.borrow_mut().insert(name.clone());
        Ok(self.index.get(name).cloned())
    }

    fn needs(&self, name: &PackageName, version: &Version) -> Result<Result<Needs, String>, String> {
        self.read.set(self.read.get() + 1);
        Ok(self.needs[&(name.clone(), version.clone())].clone())
    }
}

fn texts(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).into_iter().flatten();
    list.map(|v| v.as_str().expect("a list of texts").to_owned()).collect()
}

/// `"flask 3.0" = ["click>=8", { python = ">=3.8", yanked = true }]` or only the list of requirements.
fn read_versions(table: &toml::Table, near: bool, data: &mut Data) {
    for (key, value) in table {
        let (name, version) = key.split_once(' ').expect("NAME VERSION");
        let (name, version) = (PackageName::from_str(name).unwrap(), Version::from_str(version).unwrap());
        let (mut candidate, mut needs) = (Candidate::new(version.clone()), Needs::default());
        let mut broken = None;
        for item in value.as_array().expect("a list") {
            if let Some(text) = item.as_str() {
                match split_extra(text) {
                    ExtraSplit::Always => needs.always.push(text.parse().unwrap()),
                    ExtraSplit::Extras(parts) => {
                        for (extra, text) in parts {
                            needs.extras.entry(extra).or_default().push(text.parse().unwrap());
                        }
                    }
                    ExtraSplit::Unclear => panic!("{text}"),
                }
                continue;
            }
            let facts = item.as_table().expect("a text or a table");
            for (fact, value) in facts {
                match (fact.as_str(), value) {
                    ("python", v) => candidate.requires_python = Some(v.as_str().unwrap().parse().unwrap()),
                    ("metadata-python", v) => {
                        needs.requires_python = Some(v.as_str().unwrap().parse().unwrap());
                    }
                    ("yanked", toml::Value::Boolean(yanked)) => candidate.yanked = *yanked,
                    ("unusable", v) => candidate.unusable = v.as_str().map(str::to_owned),
                    ("broken", v) => broken = v.as_str().map(str::to_owned),
                    ("extras", v) => {
                        for extra in texts(Some(v)) {
                            needs.extras.entry(ExtraName::from_str(&extra).unwrap()).or_default();
                        }
                    }
                    (other, _) => panic!("no fact `{other}`"),
                }
            }
        }
        let of = if near { &mut data.near } else { &mut data.index };
        of.entry(name.clone()).or_default().push(candidate);
        data.needs.insert((name, version), broken.map_or(Ok(needs), Err));
    }
}

/// What came of it, one line a pick, note or sentence.
fn outcome(index: &toml::Table, scenario: &toml::Table) -> (Vec<String>, Data) {
    let mut data = Data::default();
    for table in [index.get("index"), scenario.get("index")].into_iter().flatten() {
        read_versions(table.as_table().unwrap(), false, &mut data);
    }
    if let Some(set) = scenario.get("set") {
        read_versions(set.as_table().unwrap(), true, &mut data);
    }
    let minor = scenario.get("python").and_then(toml::Value::as_integer).unwrap_or(12);
    let wishes: Vec<Wish> = texts(scenario.get("ask"))
        .iter()
        .map(|text| Wish { requirement: text.parse().unwrap(), said: "you asked for".into() })
        .collect();
    let prefer = texts(scenario.get("prefer"));
    let prefer = prefer.iter().map(|text| {
        let (name, version) = text.split_once(' ').unwrap();
        (name.parse().unwrap(), version.parse().unwrap())
    });
    let found = solve(&data, &linux(minor as u32), &wishes, &prefer.collect());
    let lines = match found {
        Ok(solution) => {
            let pick = |(name, pick): (&PackageName, &Pick)| {
                let extras: Vec<String> = pick.extras.iter().map(ToString::to_string).collect();
                let extras =
                    if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
                format!("{name}{extras} {}", pick.version)
            };
            let notes = solution.notes.iter().map(|note| format!("note: {note}"));
            solution.picks.iter().map(pick).chain(notes).collect()
        }
        Err(Failure::Conflict(sentences)) => sentences,
        Err(Failure::GaveUp) => vec!["gave up".to_owned()],
        Err(Failure::Catalog(error)) => vec![format!("error: {error}")],
    };
    (lines, data)
}

#[test]
fn every_scenario_comes_out_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/solve/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file_name = path.file_stem().unwrap().to_string_lossy();
        for (name, scenario) in file.iter().filter(|(name, _)| *name != "index") {
            count += 1;
            let scenario = scenario.as_table().expect("a scenario is a table");
            let (got, data) = outcome(&file, scenario);
            let expected = match (scenario.get("picks"), scenario.get("fails")) {
                (Some(picks), None) => texts(Some(picks)),
                (None, Some(fails)) => texts(Some(fails)),
                _ => panic!("{file_name}.{name}: say `picks` or `fails`"),
            };
            if got != expected {
                wrong.push(format!("{file_name}.{name}: got {got:#?}"));
            }
            let asked = data.asked.borrow().len();
            let most = scenario.get("most-pages").and_then(toml::Value::as_integer);
            if most.is_some_and(|most| asked as i64 > most) {
                wrong.push(format!("{file_name}.{name}: {asked} pages were read"));
            }
            let most = scenario.get("most-read").and_then(toml::Value::as_integer);
            if most.is_some_and(|most| data.read.get() as i64 > most) {
                wrong.push(format!("{file_name}.{name}: {} metadata were read", data.read.get()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 40, "{count} scenarios");
}
