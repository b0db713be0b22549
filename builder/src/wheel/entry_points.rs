//! entry_points.txt: names of objects an install offers.
//!
//! Knows the entry point specification. Must never know launchers.

/// One entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// `console_scripts`, `gui_scripts` or any other.
    pub group: String,
    /// The name, the executable's for the two script groups.
    pub name: String,
    /// The module.
    pub module: String,
    /// The object in it, dotted; absent for a whole module.
    pub object: Option<String>,
}

impl EntryPoint {
    /// Whether it becomes an executable.
    pub fn is_script(&self) -> bool {
        matches!(self.group.as_str(), "console_scripts" | "gui_scripts")
    }

    /// `module:object`.
    pub fn reference(&self) -> String {
        match &self.object {
            Some(object) => format!("{}:{object}", self.module),
            None => self.module.clone(),
        }
    }
}

/// Splits `module:object [extras]`; the error is a sentence.
pub fn parse_reference(text: &str) -> Result<(String, Option<String>), String> {
    let text = text.split_once('[').map_or(text, |(left, _)| left).trim();
    let (module, object) = match text.split_once(':') {
        Some((m, o)) => (m.trim(), Some(o.trim())),
        None => (text, None),
    };
    let dotted = |s: &str| s.split('.').all(is_identifier);
    if !dotted(module) || object.is_some_and(|o| !dotted(o)) {
        return Err(format!("`{text}` is not `module:object`"));
    }
    Ok((module.to_owned(), object.map(str::to_owned)))
}

/// Whether a text can be a Python name (PEP 3131, roughly).
pub fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c == '_' || c.is_alphanumeric())
}

/// All entry points, and a sentence for each line that is none.
pub fn parse(text: &str) -> (Vec<EntryPoint>, Vec<String>) {
    let (mut found, mut problems, mut group) = (Vec::<EntryPoint>::new(), Vec::new(), None);
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            group = Some(name.trim().to_owned());
            continue;
        }
        let Some(group) = &group else {
            problems.push(format!("line {} stands before any `[group]`", i + 1));
            continue;
        };
        let Some((name, value)) = line.split_once('=') else {
            problems.push(format!("line {} is not `name = module:object`", i + 1));
            continue;
        };
        let name = name.trim().to_owned();
        if found.iter().any(|e| e.group == *group && e.name == name) {
            problems.push(format!("`{name}` is there twice in `[{group}]`"));
        }
        match parse_reference(value) {
            Ok((module, object)) => {
                let point = EntryPoint { group: group.clone(), name, module, object };
                if point.is_script() && point.object.is_none() {
                    problems.push(format!("`{}` in `[{group}]` names no object to call", point.name));
                }
                found.push(point);
            }
            // Other groups may hold anything their reader understands.
            Err(e) if matches!(group.as_str(), "console_scripts" | "gui_scripts") => {
                problems.push(format!("`{name}` in `[{group}]`: {e}"));
            }
            Err(_) => {}
        }
    }
    (found, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_are_read_and_mistakes_are_all_told() {
        let text = "[console_scripts]\nrun = a.b:c.d [x]\nbad = 1:2\nmod = a\n\n[other]\nany = thing that : is\nmod = a.b\n";
        let (points, problems) = parse(text);
        assert_eq!(points[0].reference(), "a.b:c.d");
        assert!(points[0].is_script());
        assert_eq!(points.last().unwrap().reference(), "a.b");
        expect_test::expect![[r#"
            [
                "`bad` in `[console_scripts]`: `1:2` is not `module:object`",
                "`mod` in `[console_scripts]` names no object to call",
            ]
        "#]]
        .assert_debug_eq(&problems);
    }
}
