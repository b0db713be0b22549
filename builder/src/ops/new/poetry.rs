//! Poetry's own table (`[tool.poetry]`), of projects without `[project]`.
//!
//! Knows Poetry's constraints (`^1.2`, `~1.2`, `*`). Must never guess: what
//! has no counterpart is a note.

use super::project::Told;

/// Reads it.
pub fn read(table: &toml::Table, told: &mut Told) {
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    told.name = Some(text("name")).filter(|t| !t.is_empty());
    told.version = Some(text("version")).filter(|t| !t.is_empty());
    told.in_pyproject = told.version.is_some();
    told.say("Summary", &text("description"));
    told.say("Home-page", &text("homepage"));
    told.say("License", &text("license"));
    let scripts = table.get("scripts").and_then(toml::Value::as_table);
    told.scripts.extend(scripts.into_iter().flatten().map(|(name, _)| name.clone()));
    let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
    let mut optional = Vec::new();
    for (name, value) in dependencies.into_iter().flatten() {
        let Some(requirement) = requirement(name, value) else {
            told.notes
                .push(format!("Poetry's dependency `{name} = {value}` has no counterpart: it is left out"));
            continue;
        };
        if name == "python" {
            told.say("Requires-Python", requirement.trim_start_matches("python"));
        } else if value.get("optional").and_then(toml::Value::as_bool) == Some(true) {
            optional.push((name.clone(), requirement));
        } else {
            told.needs(&[requirement], None);
        }
    }
    let extras = table.get("extras").and_then(toml::Value::as_table);
    for (extra, list) in extras.into_iter().flatten() {
        let names = list.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
        let of = |name: &str| optional.iter().find(|(known, _)| known == name).map(|(_, r)| r.clone());
        let needed: Vec<String> = names.filter_map(of).collect();
        told.needs(&needed, Some(extra));
    }
}

/// A dependency as PEP 508 has it.
fn requirement(name: &str, value: &toml::Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(format!("{name}{}", specifiers(text)?));
    }
    let table = value.as_table()?;
    let known = ["version", "extras", "markers", "optional"];
    if table.keys().any(|key| !known.contains(&key.as_str())) {
        return None;
    }
    let extras: Vec<&str> = table
        .get("extras")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|v| v.as_str())
        .collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    let version = specifiers(table.get("version")?.as_str()?)?;
    let marker = table.get("markers").and_then(toml::Value::as_str);
    let marker = marker.map(|m| format!(" ; {m}")).unwrap_or_default();
    Some(format!("{name}{extras}{version}{marker}"))
}

/// A constraint as PEP 440 has it.
fn specifiers(text: &str) -> Option<String> {
    let one = |part: &str| -> Option<String> {
        let part = part.trim();
        if part == "*" || part.is_empty() {
            return Some(String::new());
        }
        if let Some(version) = part.strip_prefix('^') {
            return Some(format!(">={version},<{}", above(version, true)?));
        }
        if let Some(version) = part.strip_prefix('~').filter(|v| !v.starts_with('=')) {
            return Some(format!(">={version},<{}", above(version, false)?));
        }
        let operator = part.starts_with(['<', '>', '=', '!', '~']);
        Some(if operator { part.replace(' ', "") } else { format!("=={part}") })
    };
    if text.contains("||") {
        return None;
    }
    let parts: Vec<String> = text.split(',').map(one).collect::<Option<_>>()?;
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    Some(parts.join(","))
}

/// The first version that a caret, or a tilde, does not reach.
fn above(version: &str, caret: bool) -> Option<String> {
    let numbers: Vec<u64> = version.trim().split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let at = match caret {
        true => numbers.iter().position(|n| *n > 0).unwrap_or(numbers.len() - 1),
        false => usize::from(numbers.len() > 1),
    };
    let mut out: Vec<String> = numbers[..at].iter().map(u64::to_string).collect();
    out.push((numbers[at] + 1).to_string());
    Some(out.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_become_specifiers() {
        for (text, expected) in [
            ("^1.2.3", Some(">=1.2.3,<2")),
            ("^0.2.3", Some(">=0.2.3,<0.3")),
            ("^0.0.3", Some(">=0.0.3,<0.0.4")),
            ("^0", Some(">=0,<1")),
            ("~1.2.3", Some(">=1.2.3,<1.3")),
            ("~1", Some(">=1,<2")),
            ("~=1.4", Some("~=1.4")),
            (">=1, <3", Some(">=1,<3")),
            ("1.5", Some("==1.5")),
            ("*", Some("")),
            ("^1 || ^2", None),
            ("^x", None),
        ] {
            assert_eq!(specifiers(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_table_is_read_as_metadata() {
        let table: toml::Table = toml::from_str(
            "name = \"shop\"\nversion = \"1.0\"\n[dependencies]\npython = \"^3.9\"\nflask = \"^3.0\"\n\
             redis = { version = \"*\", optional = true }\nown = { path = \"../own\" }\n\
             [extras]\ncache = [\"redis\"]\n[scripts]\nshop = \"shop:main\"\n",
        )
        .unwrap();
        let mut told = Told::default();
        read(&table, &mut told);
        assert_eq!(told.name.as_deref(), Some("shop"));
        let lines: Vec<&str> = told.headers.lines().collect();
        assert!(lines.contains(&"Requires-Python: >=3.9,<4"), "{lines:?}");
        assert!(lines.contains(&"Requires-Dist: flask>=3.0,<4"), "{lines:?}");
        assert!(lines.contains(&"Requires-Dist: redis ; extra == 'cache'"), "{lines:?}");
        assert_eq!((told.scripts.len(), told.notes.len()), (1, 1), "{:?}", told.notes);
    }
}
