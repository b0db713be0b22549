//! Rust sources as text: files, functions, imports.

use std::path::{Path, PathBuf};

/// One Rust file of the project.
pub struct Source {
    /// Relative to the root, `/`-separated.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Files that hold only tests.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("tests.rs")
            || self.path.contains("/tests/")
            || self.text.starts_with("#![cfg(test)]")
    }

    /// Lines before the file's own `mod tests`.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|l| *l != "mod tests {")
    }

    /// How many lines of code there are, tests not counted.
    pub fn code_lines(&self) -> usize {
        self.code().count()
    }

    /// Numbered lines outside comments and the file's own tests.
    pub fn plain_lines(&self) -> Vec<(usize, &str)> {
        self.code()
            .enumerate()
            .map(|(i, l)| (i + 1, l.split("//").next().unwrap_or("")))
            .filter(|(_, l)| !l.trim().is_empty())
            .collect()
    }

    /// `crate::NAME` with its line, outside comments and tests.
    pub fn crate_imports(&self) -> Vec<(usize, String)> {
        let mut out = Vec::new();
        for (line, text) in self.plain_lines() {
            for (at, _) in text.match_indices("crate::") {
                let before = text[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                    continue;
                }
                let rest = &text[at + "crate::".len()..];
                let name: String =
                    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !name.is_empty() {
                    out.push((line, name));
                }
            }
        }
        out
    }
}

/// Every file git would hold, by walking without the folders it ignores.
pub fn all_files(root: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == "target" || name == ".git" || name.starts_with("result") {
                continue;
            }
            match entry.file_type() {
                Ok(t) if t.is_dir() => todo.push(entry.path()),
                Ok(t) if t.is_file() => out.push(entry.path()),
                _ => {}
            }
        }
    }
    out.sort();
    out
}

/// Every Rust file of the project.
pub fn sources(root: &Path) -> Vec<Source> {
    let found: Vec<Source> = all_files(root)
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .filter_map(|p| {
            let path = p.strip_prefix(root).ok()?.to_str()?.to_owned();
            Some(Source { path, text: std::fs::read_to_string(&p).ok()? })
        })
        .collect();
    assert!(found.len() > 30, "only {} sources were found below {}", found.len(), root.display());
    found
}

/// Functions outside tests: name, first line, number of lines. Leans on
/// rustfmt: a function ends at the first `}` with the indent of its start.
pub fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = source.code().collect();
    let mut out = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let Some(at) = trimmed.find("fn ") else { continue };
        let head = &trimmed[..at];
        let known = ["pub", "const", "unsafe", "extern", "async", "\"C\""];
        let only_words = head.split_whitespace().all(|w| known.iter().any(|k| w.starts_with(k)));
        if !only_words {
            continue;
        }
        let name: String =
            trimmed[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // A trait's method may have no body, or one on its line.
        let opens = lines[i..].iter().find(|l| l.ends_with(['{', ';', '}']));
        if opens.is_some_and(|l| !l.ends_with('{')) {
            continue;
        }
        let indent = &line[..line.len() - trimmed.len()];
        let end = format!("{indent}}}");
        if let Some(length) = lines[i..].iter().position(|l| *l == end) {
            out.push((name, i + 1, length + 1));
        }
    }
    out
}
