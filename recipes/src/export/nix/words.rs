//! Names, strings, lists and paths of Nix.
//!
//! Knows its grammar. Must never know what is said with it.

/// Whether a word is a name.
pub(super) fn is_name(word: &str) -> bool {
    const KEPT: [&str; 10] = ["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"];
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-'".contains(c))
        && !KEPT.contains(&word)
}

/// A name, or the string that stands for it.
pub(super) fn key(word: &str) -> String {
    if is_name(word) { word.to_owned() } else { text(word) }
}

/// A string on one line.
pub(super) fn text(value: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '$' if rest.peek() == Some(&'{') => out += "\\$",
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A string of several lines, as it stands where its indent allows that.
pub(super) fn block(value: &str) -> String {
    let odd = |c: char| c.is_control() && c != '\n';
    let value = value.trim_end_matches('\n');
    let flush = value.lines().any(|l| !l.is_empty() && !l.starts_with([' ', '\t']));
    let plain = flush && !value.starts_with('\n') && !value.contains(odd) && !value.contains("'$");
    // A quote at the end would run into the closing ones.
    if !plain || value.ends_with('\'') {
        return text(&format!("{value}\n"));
    }
    let mut out = String::from("''\n");
    for line in value.lines() {
        let line = line.replace("''", "'''").replace("${", "''${");
        if !line.is_empty() {
            out += &format!("    {line}");
        }
        out.push('\n');
    }
    out += "  ''";
    out
}

/// A list, an element a line.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "[ ]".to_owned(),
        [one] if !one.contains('#') => format!("[ {one} ]"),
        all => format!("[\n    {}\n  ]", all.join("\n    ")),
    }
}

/// A path, relative to the file.
pub(super) fn path(way: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    let way = way.trim_end_matches('/');
    match way {
        "" | "." => "./.".to_owned(),
        ".." => "../.".to_owned(),
        _ if !way.chars().all(plain) => format!("./. + {}", text(&format!("/{way}"))),
        _ if way.starts_with("../") => way.to_owned(),
        _ => format!("./{way}"),
    }
}

/// A word of a shell.
pub(super) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_what_nix_would_read_otherwise() {
        assert_eq!(text("a \"b\" \\ ${c} $d\n"), r#""a \"b\" \\ \${c} $d\n""#);
        assert_eq!(block("a ''b'' ${c}\n\n  d\n"), "''\n    a '''b''' ''${c}\n\n      d\n  ''");
        // All of it indented, or ending in a quote: Nix would take a part of it.
        assert_eq!(block("  a\n  b"), "\"  a\\n  b\\n\"");
        assert_eq!(block("echo 'a'"), "\"echo 'a'\\n\"");
    }

    #[test]
    fn names_and_paths_are_literals_where_they_can_be() {
        assert!(is_name("ruamel-yaml") && !is_name("with") && !is_name("3d") && !is_name("a.b"));
        assert_eq!((key("a-b"), key("a b")), ("a-b".to_owned(), "\"a b\"".to_owned()));
        let paths = [("", "./."), ("..", "../."), ("../..", "../.."), ("a/b", "./a/b"), ("../x", "../x")];
        for (way, literal) in paths {
            assert_eq!(path(way), literal);
        }
        assert_eq!(path("../a b"), "./. + \"/../a b\"");
        assert_eq!(
            (shell("--a=b"), shell("a b"), shell("it's")),
            ("--a=b".into(), "'a b'".into(), r"'it'\''s'".into())
        );
    }
}
