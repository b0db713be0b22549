//! The text of a patch.
//!
//! Knows unified diffs with and without git's extended headers. Must never
//! look at the files.

use super::Fault;
use crate::tree::RelPath;

/// The changes of one file.
#[derive(Debug, Default)]
pub(super) struct FilePatch<'a> {
    /// The line it begins at, from 1.
    pub line: usize,
    /// Read from; `None`: the file is new.
    pub old: Option<RelPath>,
    /// Written to; `None`: the file goes.
    pub new: Option<RelPath>,
    /// Git says that the names differ on purpose.
    pub renames: bool,
    /// The old file stays.
    pub copy: bool,
    /// The new side's time is that of a file that is not there.
    pub new_is_epoch: bool,
    /// The executable bit, where git says it.
    pub executable: Option<bool>,
    /// The hunks.
    pub hunks: Vec<Hunk<'a>>,
}

/// Lines that are there, and lines that are to be.
#[derive(Debug)]
pub(super) struct Hunk<'a> {
    /// The line of the patch its `@@` stands in, from 1.
    pub line: usize,
    /// First line on the old side, from 1; 0 for an empty file.
    pub old_start: usize,
    pub old_count: usize,
    pub new_start: usize,
    pub new_count: usize,
    /// Each with its line feed, if it has one.
    pub lines: Vec<(Side, &'a [u8])>,
}

/// Where a line of a hunk belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Both,
    Old,
    New,
}

struct Lines<'a> {
    all: Vec<&'a [u8]>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a [u8]> {
        self.all.get(self.at + ahead).copied()
    }

    /// The number of the next line, from 1.
    fn number(&self) -> usize {
        self.at + 1
    }
}

/// All files of a patch. Text around the diffs (a mail, a commit message) is
/// passed over.
pub(super) fn parse(text: &[u8]) -> Result<Vec<FilePatch<'_>>, Fault> {
    let mut lines = Lines { all: text.split_inclusive(|b| *b == b'\n').collect(), at: 0 };
    let mut out = Vec::new();
    while let Some(line) = lines.peek(0) {
        if line.starts_with(b"diff --git ") {
            out.extend(git_file(&mut lines)?);
        } else if is_head(&lines) {
            let mut patch = FilePatch { line: lines.number(), ..FilePatch::default() };
            names(&mut lines, &mut patch)?;
            hunks(&mut lines, &mut patch)?;
            out.push(patch);
        } else if line.starts_with(b"@@ -") {
            return Err(Fault::at(lines.number(), "a hunk without the `---` and `+++` lines before it"));
        } else {
            lines.at += 1;
        }
    }
    Ok(out)
}

fn is_head(lines: &Lines<'_>) -> bool {
    let starts = |ahead, with: &[u8]| lines.peek(ahead).is_some_and(|l| l.starts_with(with));
    starts(0, b"--- ") && starts(1, b"+++ ") && starts(2, b"@@ -")
}

/// One file with git's headers; `None` when they say nothing we can do
/// (a change of mode only has a result too: the executable bit).
fn git_file<'a>(lines: &mut Lines<'a>) -> Result<Option<FilePatch<'a>>, Fault> {
    let mut patch = FilePatch { line: lines.number(), ..FilePatch::default() };
    let head = trimmed(lines.all[lines.at]);
    lines.at += 1;
    let (mut new_file, mut deleted) = (false, false);
    while let Some(line) = lines.peek(0) {
        let number = lines.number();
        if is_head(lines) || line.starts_with(b"diff --git ") {
            break;
        }
        let line = trimmed(line);
        let value = |key: &[u8]| line.strip_prefix(key);
        if let Some(mode) = value(b"new file mode ").or(value(b"new mode ")).or(value(b"deleted file mode "))
        {
            new_file |= line.starts_with(b"new file");
            deleted |= line.starts_with(b"deleted");
            patch.executable = Some(mode_of(mode, number)?);
        } else if let Some(name) = value(b"rename from ").or(value(b"copy from ")) {
            patch.copy = line.starts_with(b"copy");
            patch.renames = true;
            patch.old = Some(path(&unquote(name, number)?, number)?);
        } else if let Some(name) = value(b"rename to ").or(value(b"copy to ")) {
            patch.new = Some(path(&unquote(name, number)?, number)?);
        } else if line.starts_with(b"GIT binary patch") || line.starts_with(b"Binary files ") {
            return Err(Fault::at(number, "binary changes are not supported"));
        } else if !is_git_header(line) {
            break;
        }
        lines.at += 1;
    }
    if is_head(lines) {
        let renamed = (patch.old.take(), patch.new.take());
        names(lines, &mut patch)?;
        if patch.renames {
            (patch.old, patch.new) = renamed;
        }
        hunks(lines, &mut patch)?;
        return Ok(Some(patch));
    }
    if patch.renames {
        return Ok(Some(patch));
    }
    // Without hunks: an empty file, or a change of mode.
    if !new_file && !deleted && patch.executable.is_none() {
        return Ok(None);
    }
    let name = same_name(head, patch.line)?;
    patch.old = (!new_file).then(|| name.clone());
    patch.new = (!deleted).then_some(name);
    Ok(Some(patch))
}

fn is_git_header(line: &[u8]) -> bool {
    const KEYS: [&[u8]; 4] = [b"index ", b"old mode ", b"similarity index ", b"dissimilarity index "];
    KEYS.iter().any(|key| line.starts_with(key))
}

fn mode_of(mode: &[u8], line: usize) -> Result<bool, Fault> {
    match mode {
        b"100644" | b"100664" => Ok(false),
        b"100755" => Ok(true),
        other => Err(Fault::at(line, format!("mode `{}` is not supported", other.escape_ascii()))),
    }
}

/// `diff --git a/X b/X`: both names are the same here.
fn same_name(head: &[u8], line: usize) -> Result<RelPath, Fault> {
    let both = head.strip_prefix(b"diff --git ").unwrap_or(head);
    let bad = || Fault::at(line, "its names cannot be told apart");
    if both.starts_with(b"\"") {
        let end = (1..both.len()).find(|at| both[*at] == b'"' && both[at - 1] != b'\\').ok_or_else(bad)?;
        return strip(&unquote(&both[..=end], line)?, line);
    }
    let half = both.len() / 2;
    let (first, second) = (both.get(..half), both.get(half + 1..));
    match (first, second) {
        (Some(a), Some(b)) if a.get(1..) == b.get(1..) => strip(&unquote(a, line)?, line),
        _ => Err(bad()),
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The `---` and `+++` lines.
fn names(lines: &mut Lines<'_>, patch: &mut FilePatch<'_>) -> Result<(), Fault> {
    for (at, prefix) in [b"--- ", b"+++ "].into_iter().enumerate() {
        let number = lines.number();
        let line = lines.peek(0).unwrap_or_default();
        let rest = trimmed(line.strip_prefix(prefix).unwrap_or(line));
        // What follows a tab is a time.
        let (name, time) = match rest.iter().position(|b| *b == b'\t') {
            Some(tab) if !rest.starts_with(b"\"") => (&rest[..tab], &rest[tab + 1..]),
            _ => (rest, &b""[..]),
        };
        let name = unquote(name, number)?;
        let name = if name == b"/dev/null" { None } else { Some(strip(&name, number)?) };
        if at == 0 {
            patch.old = name;
        } else {
            patch.new = name;
            patch.new_is_epoch = time.starts_with(b"1970-01-01") || time.starts_with(b"1969-12-31");
        }
        lines.at += 1;
    }
    match (&patch.old, &patch.new) {
        (None, None) => Err(Fault::at(patch.line, "it names no file")),
        _ => Ok(()),
    }
}

/// `-p1`: the first part goes.
fn strip(name: &[u8], line: usize) -> Result<RelPath, Fault> {
    let Some(slash) = name.iter().position(|b| *b == b'/') else {
        let shown = String::from_utf8_lossy(name).into_owned();
        let why = format!("the name `{shown}` has no folder to strip");
        return Err(Fault {
            hint: Some("make the patch with `git diff`, or `diff -u a/x b/x`"),
            ..Fault::at(line, why)
        });
    };
    let rest = &name[slash..];
    path(&rest[rest.iter().take_while(|b| **b == b'/').count()..], line)
}

fn path(name: &[u8], line: usize) -> Result<RelPath, Fault> {
    let text = std::str::from_utf8(name).map_err(|_| Fault::at(line, "a name is not UTF-8"))?;
    RelPath::new(text).map_err(|why| Fault::at(line, why))
}

/// Git writes unusual names in quotes with C's escapes.
fn unquote(name: &[u8], line: usize) -> Result<Vec<u8>, Fault> {
    let Some(body) = name.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")) else {
        return Ok(name.to_vec());
    };
    let bad = || Fault::at(line, "a quoted name is malformed");
    let mut out = Vec::with_capacity(body.len());
    let mut bytes = body.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next().ok_or_else(bad)? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            c @ (b'"' | b'\\') => c,
            first @ b'0'..=b'3' => {
                let mut value = first - b'0';
                for _ in 0..2 {
                    let digit = bytes.next().filter(|d| (b'0'..=b'7').contains(d)).ok_or_else(bad)?;
                    value = value << 3 | (digit - b'0');
                }
                value
            }
            _ => return Err(bad()),
        });
    }
    Ok(out)
}

fn hunks<'a>(lines: &mut Lines<'a>, patch: &mut FilePatch<'a>) -> Result<(), Fault> {
    while let Some(line) = lines.peek(0).filter(|l| l.starts_with(b"@@ -")) {
        let number = lines.number();
        let nth = patch.hunks.len() + 1;
        let bad = |line, why: &str| Fault { hunk: Some(nth), ..Fault::at(line, why) };
        let ranges = ranges(line).ok_or_else(|| bad(number, "its `@@` line is malformed"))?;
        let [old_start, old_count, new_start, new_count] = ranges;
        lines.at += 1;
        let mut hunk = Hunk { line: number, old_start, old_count, new_start, new_count, lines: Vec::new() };
        let (mut old, mut new) = (old_count, new_count);
        while old > 0 || new > 0 {
            let line = lines.peek(0).ok_or_else(|| bad(number, "it ends too early"))?;
            let (side, body) = match line.split_first() {
                Some((b' ', body)) => (Side::Both, body),
                Some((b'-', body)) => (Side::Old, body),
                Some((b'+', body)) => (Side::New, body),
                // An editor took the blank of an empty line of context.
                Some((b'\n' | b'\r', _)) => (Side::Both, line),
                Some((b'\\', _)) => {
                    no_line_feed(&mut hunk);
                    lines.at += 1;
                    continue;
                }
                _ => return Err(bad(lines.number(), "a line of it begins with neither blank, `+` nor `-`")),
            };
            let counts = match side {
                Side::Both => [&mut old, &mut new].into_iter().all(take),
                Side::Old => take(&mut old),
                Side::New => take(&mut new),
            };
            if !counts {
                return Err(bad(lines.number(), "it has more lines than its `@@` line says"));
            }
            hunk.lines.push((side, body));
            lines.at += 1;
        }
        if lines.peek(0).is_some_and(|l| l.starts_with(b"\\")) {
            no_line_feed(&mut hunk);
            lines.at += 1;
        }
        patch.hunks.push(hunk);
    }
    Ok(())
}

fn take(left: &mut usize) -> bool {
    let enough = *left > 0;
    *left = left.saturating_sub(1);
    enough
}

/// `\ No newline at end of file` is about the line before.
fn no_line_feed(hunk: &mut Hunk<'_>) {
    if let Some((_, body)) = hunk.lines.last_mut() {
        *body = body.strip_suffix(b"\n").unwrap_or(body);
    }
}

/// `@@ -1,2 +3,4 @@`; a count that is not there is 1.
fn ranges(line: &[u8]) -> Option<[usize; 4]> {
    let text = std::str::from_utf8(line.split(|b| *b == b'\n').next()?).ok();
    let text = text
        .or_else(|| std::str::from_utf8(line.get(..line.windows(3).position(|w| w == b" @@")? + 3)?).ok())?;
    let (old, rest) = text.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let pair = |text: &str| -> Option<(usize, usize)> {
        match text.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    let ((a, b), (c, d)) = (pair(old)?, pair(new)?);
    Some([a, b, c, d])
}
