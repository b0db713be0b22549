//! Shell text: words, quotes, and nixpkgs' own commands in plain `sh`.
//!
//! Knows the shell's quoting and what `substituteInPlace` does. Must never
//! guess: a script that leans on what only nixpkgs' build has is refused,
//! with the reason.

use std::iter::Peekable;
use std::str::Chars;

/// A word for `sh`, in single quotes where it needs any.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A word as it is written and as the shell reads it; no value when the shell
/// would put something in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    raw: String,
    value: Option<String>,
}

/// The words of one line of arguments; nothing when a value is not in the text.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut chars = text.chars().peekable();
    let mut out = Vec::new();
    loop {
        let (words, more) = statement(&mut chars);
        for word in words {
            out.push(word.value?);
        }
        match more {
            None => return Some(out),
            Some('\n') => {}
            Some(_) => return None,
        }
    }
}

/// The words up to the end of a command, and what ended it.
fn statement(chars: &mut Peekable<Chars<'_>>) -> (Vec<Word>, Option<char>) {
    let mut out = Vec::new();
    loop {
        match chars.peek().copied() {
            None => return (out, None),
            Some(c @ ('\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>')) => {
                chars.next();
                return (out, Some(c));
            }
            Some(c) if c.is_whitespace() => drop(chars.next()),
            Some('\\') if chars.clone().nth(1) == Some('\n') => {
                chars.next();
                chars.next();
            }
            Some('#') => while chars.next_if(|c| *c != '\n').is_some() {},
            Some(_) => out.push(word(chars)),
        }
    }
}

fn word(chars: &mut Peekable<Chars<'_>>) -> Word {
    let (mut raw, mut value, mut known) = (String::new(), String::new(), true);
    let mut quote = None;
    while let Some(c) = chars.peek().copied() {
        let ends = c.is_whitespace() || ";|&()<>".contains(c);
        if quote.is_none() && ends {
            break;
        }
        chars.next();
        raw.push(c);
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('$' | '`', None | Some('"')) => known = false,
            ('\\', None | Some('"')) => {
                let Some(next) = chars.next() else { continue };
                raw.push(next);
                match next {
                    '\n' => {}
                    '$' | '`' | '"' | '\\' => value.push(next),
                    _ if quote.is_none() => value.push(next),
                    _ => value.extend(['\\', next]),
                }
            }
            _ => value.push(c),
        }
    }
    Word { raw, value: (known && quote.is_none()).then_some(value) }
}

/// What nixpkgs' shell has and `sh` on its own has not.
const FOREIGN: [&str; 13] = [
    "substituteAll",
    "substituteAllInPlace",
    "substitute",
    "patchShebangs",
    "wrapProgram",
    "makeWrapper",
    "installManPage",
    "installShellCompletion",
    "installBin",
    "copyDesktopItems",
    "moveToOutput",
    "patchelf",
    "source",
];

/// What only a build of nixpkgs has a value for, or only bash understands.
const MARKS: [(&str, &str); 12] = [
    ("$out", "`$out` is another folder here"),
    ("${out", "`$out` is another folder here"),
    ("$src", "`$src` is the unpacked source here"),
    ("${src", "`$src` is the unpacked source here"),
    ("${!", "it is for bash, and phases run with `sh`"),
    ("[[", "it is for bash, and phases run with `sh`"),
    ("<<<", "it is for bash, and phases run with `sh`"),
    ("+=(", "it is for bash, and phases run with `sh`"),
    ("$'", "it is for bash, and phases run with `sh`"),
    ("=(", "it is for bash, and phases run with `sh`"),
    ("$installFlags", "it uses flags of nixpkgs' own build"),
    ("nix_run_setup", "it uses nixpkgs' own build"),
];

/// A phase of nixpkgs as one of a recipe. The error says what stands in the way.
pub(super) fn phase(script: &str) -> Result<String, String> {
    if let Some((_, why)) = MARKS.iter().find(|(mark, _)| script.contains(mark)) {
        return Err((*why).to_owned());
    }
    let pushes =
        script.lines().map(|l| if has_word(l, "popd") { -1 } else { i32::from(has_word(l, "pushd")) });
    let deepest = pushes.scan(0, |at, by| {
        *at += by;
        Some(*at)
    });
    if deepest.max() > Some(1) {
        return Err("one `pushd` inside of another is for bash, and phases run with `sh`".to_owned());
    }
    let mut out = String::new();
    let mut rest = script;
    while !rest.is_empty() {
        let line_end = rest.find('\n').map_or(rest.len(), |n| n + 1);
        let line = &rest[..line_end];
        let trimmed = line.trim_start();
        let first = trimmed.split(|c: char| c.is_whitespace() || c == ';').next().unwrap_or("");
        if first == "substituteInPlace" {
            let indent = &line[..line.len() - trimmed.len()];
            let after = &rest[indent.len() + first.len()..];
            let mut chars = after.chars().peekable();
            let (words, more) = statement(&mut chars);
            if !matches!(more, None | Some('\n' | ';')) {
                return Err("`substituteInPlace` is part of a longer command".to_owned());
            }
            for line in substitution(&words)? {
                out.push_str(&format!("{indent}{line}\n"));
            }
            let left: String = chars.collect();
            rest = &rest[rest.len() - left.len()..];
            if more == Some(';') {
                rest = rest.trim_start_matches([' ', '\t']);
                match rest.strip_prefix('\n') {
                    Some(next_line) => rest = next_line,
                    None => out.push_str(indent),
                }
            }
            continue;
        }
        if line.contains("substituteInPlace") {
            return Err("`substituteInPlace` is part of a longer command".to_owned());
        }
        let bare = |w: &&&str| trimmed.split(|c: char| !c.is_alphanumeric() && c != '_').any(|t| t == **w);
        if let Some(word) = FOREIGN.iter().find(bare).filter(|_| !trimmed.starts_with('#')) {
            return Err(format!("`{word}` is no command of `sh`"));
        }
        match first {
            // The hooks of a phase are phases of their own here.
            "runHook" => {}
            "pushd" | "popd" => out.push_str(&changed(line)?),
            _ if has_word(line, "pushd") || has_word(line, "popd") => {
                return Err("`pushd` and `popd` are for bash, and phases run with `sh`".to_owned());
            }
            _ => out.push_str(line),
        }
        rest = &rest[line_end..];
    }
    Ok(out.trim_matches('\n').to_owned())
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

/// `pushd` and `popd` of bash: as one folder is remembered, no two may be
/// pushed at once.
fn changed(line: &str) -> Result<String, String> {
    let bare = line.trim_start();
    let indent = &line[..line.len() - bare.len()];
    let mut chars = bare.chars().peekable();
    let (words, more) = statement(&mut chars);
    let raw: Vec<&str> = words.iter().map(|w| w.raw.as_str()).collect();
    match (raw.as_slice(), more) {
        (["pushd", folder], None | Some('\n')) => Ok(format!("{indent}pushed=$PWD\n{indent}cd {folder}\n")),
        (["popd"], None | Some('\n')) => Ok(format!("{indent}cd \"$pushed\"\n")),
        _ => Err("`pushd` and `popd` are for bash, and phases run with `sh`".to_owned()),
    }
}

/// The commands that do what `substituteInPlace` does with these arguments.
fn substitution(words: &[Word]) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    let mut pairs: Vec<(String, String, bool)> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let flag = words[at].value.as_deref().unwrap_or("");
        let known = |n: usize| {
            let word = words.get(at + n).ok_or("`substituteInPlace` lacks an argument")?;
            word.value.clone().ok_or_else(|| format!("the value of `{}` is not in the text", word.raw))
        };
        match flag {
            "--replace" | "--replace-fail" | "--replace-warn" | "--replace-quiet" => {
                pairs.push((known(1)?, known(2)?, flag == "--replace-fail"));
                at += 3;
            }
            "--subst-var-by" => {
                pairs.push((format!("@{}@", known(1)?), known(2)?, false));
                at += 3;
            }
            flag if flag.starts_with('-') => return Err(format!("`{flag}` has no counterpart in `sed`")),
            _ => {
                if words[at].value.is_none() {
                    return Err(format!("the value of `{}` is not in the text", words[at].raw));
                }
                files.push(words[at].raw.clone());
                at += 1;
            }
        }
    }
    let mut out = Vec::new();
    for file in &files {
        let globs = file.contains(['*', '?', '[']);
        let name = if globs { "\"$file\"" } else { file.as_str() };
        let indent = if globs { "  " } else { "" };
        if globs {
            out.push(format!("for file in {file}; do"));
        }
        for (from, to, must) in &pairs {
            out.extend(replacement(from, to, (*must, name)).iter().map(|line| format!("{indent}{line}")));
        }
        if globs {
            out.push("done".to_owned());
        }
    }
    Ok(out)
}

fn replacement(from: &str, to: &str, (must, file): (bool, &str)) -> Vec<String> {
    let (pattern, with) = (escaped(from, r"\.*[]^$/"), escaped(to, r"\&/"));
    if from.contains('\n') {
        // The whole file is one line of `sed -z`.
        let mut line = "sed -z -i".to_owned();
        if must {
            line += &format!(" -e {}", quoted(&format!("/{pattern}/!q1")));
        }
        return vec![format!("{line} -e {} {file}", quoted(&format!("s/{pattern}/{with}/g")))];
    }
    let mut out = Vec::new();
    if must {
        out.push(format!("grep -qF -e {} {file}", quoted(from)));
    }
    out.push(format!("sed -i -e {} {file}", quoted(&format!("s/{pattern}/{with}/g"))));
    out
}

fn escaped(text: &str, special: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            c if special.contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(script: &str, expected: Expect) {
        expected.assert_eq(&phase(script).unwrap_or_else(|why| format!("refused: {why}")));
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(words("--set A 'b c' \"d\\\"e\"").unwrap(), ["--set", "A", "b c", "d\"e"]);
        assert_eq!(words("-k \\\n  'not slow'").unwrap(), ["-k", "not slow"]);
        assert_eq!(words("''").unwrap(), [""]);
        assert_eq!(words("--prefix PATH : $out/bin"), None);
        assert_eq!(words("a; b"), None);
        assert_eq!(words("'open"), None);
    }

    #[test]
    fn substitute_in_place_is_grep_and_sed() {
        check(
            "substituteInPlace setup.py \\\n  --replace-fail 'a.b==1' \"a/b\" \\\n  --replace \"x\" \"\"\necho done\n",
            expect![[r#"
                grep -qF -e a.b==1 setup.py
                sed -i -e 's/a\.b==1/a\/b/g' setup.py
                sed -i -e s/x//g setup.py
                echo done"#]],
        );
        check(
            "substituteInPlace a.py tests/*.py --replace-fail \"it's\n  so\" 'no & \\1'",
            expect![[r#"
                sed -z -i -e '/it'\''s\n  so/!q1' -e 's/it'\''s\n  so/no \& \\1/g' a.py
                for file in tests/*.py; do
                  sed -z -i -e '/it'\''s\n  so/!q1' -e 's/it'\''s\n  so/no \& \\1/g' "$file"
                done"#]],
        );
        let indented = phase("  substituteInPlace a --subst-var-by version 1.0;  rm b\n  true").unwrap();
        assert_eq!(indented, "  sed -i -e s/@version@/1.0/g a\n  rm b\n  true");
    }

    #[test]
    fn what_only_nixpkgs_has_is_refused() {
        check("cp x $out/bin", expect!["refused: `$out` is another folder here"]);
        check("patchShebangs .", expect!["refused: `patchShebangs` is no command of `sh`"]);
        check("[[ -n x ]] && rm y", expect!["refused: it is for bash, and phases run with `sh`"]);
        check(
            "substituteInPlace a --replace-fail x $version",
            expect!["refused: the value of `$version` is not in the text"],
        );
        check(
            "substituteInPlace a --subst-var out",
            expect!["refused: `--subst-var` has no counterpart in `sed`"],
        );
        check(
            "find . | xargs substituteInPlace",
            expect!["refused: `substituteInPlace` is part of a longer command"],
        );
        check("pushd a && ls", expect!["refused: `pushd` and `popd` are for bash, and phases run with `sh`"]);
        check(
            "pushd a\npushd b",
            expect!["refused: one `pushd` inside of another is for bash, and phases run with `sh`"],
        );
        check(
            "pushd tests\nls\npopd\n",
            expect![[r#"
            pushed=$PWD
            cd tests
            ls
            cd "$pushed""#]],
        );
        check("runHook preCheck\npytest -x\nrunHook postCheck\n", expect!["pytest -x"]);
    }
}
