//! RECORD: the list of a wheel's files with their hashes (PEP 376, 427).
//!
//! Knows its CSV form. Must never know the disk.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::archive::Member;
use super::content::Content;
use crate::error::Result;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Path as written.
    pub path: String,
    /// `sha256=...`, or empty.
    pub hash: String,
    /// Bytes, when given.
    pub size: Option<u64>,
}

impl Line {
    /// The line as text, line end included.
    pub fn text(&self) -> String {
        let path = if self.path.contains([',', '"']) {
            format!("\"{}\"", self.path.replace('"', "\"\""))
        } else {
            self.path.clone()
        };
        let size = self.size.map(|n| n.to_string()).unwrap_or_default();
        format!("{path},{},{size}\n", self.hash)
    }
}

/// `sha256=` and the unpadded url-safe base64 of the digest.
pub fn hash_of(bytes: &[u8]) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)))
}

/// The same of bytes wherever they lie.
pub fn hash_of_content(content: &Content) -> Result<String> {
    Ok(format!("sha256={}", digest::<Sha256>(content)?))
}

fn digest<D: sha2::Digest>(content: &Content) -> Result<String> {
    let mut hasher = D::new();
    content.pour(|piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(URL_SAFE_NO_PAD.encode(hasher.finalize()))
}

/// Reads the lines; the errors are every line that is not of three fields.
pub fn parse(bytes: &[u8]) -> std::result::Result<Vec<Line>, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["it is not UTF-8".to_owned()])?;
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for (i, row) in text.lines().enumerate() {
        if row.is_empty() {
            continue;
        }
        let fields = fields(row);
        let size = fields.get(2).map(|s| if s.is_empty() { Ok(None) } else { s.parse().map(Some) });
        match (&fields[..], size) {
            ([path, hash, _], Some(Ok(size))) => {
                lines.push(Line { path: path.clone(), hash: hash.clone(), size });
            }
            _ => problems.push(format!("line {} is not `path,hash,size`", i + 1)),
        }
    }
    if problems.is_empty() { Ok(lines) } else { Err(problems) }
}

/// The rows of a RECORD as they are written, each with its path: for who
/// changes a few of them. The errors are those of [`parse`].
pub fn rows(bytes: &[u8]) -> std::result::Result<Vec<(Cow<'_, str>, &str)>, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["it is not UTF-8".to_owned()])?;
    let quick = |row| -> Option<(Cow<'_, str>, &str)> {
        let (path, rest) = str::split_once(row, ',')?;
        let (_, size) = rest.split_once(',')?;
        // Only the reader of all fields knows quotes.
        let plain = !row.contains('"') && (size.is_empty() || size.parse::<u64>().is_ok());
        plain.then_some((Cow::Borrowed(path), row))
    };
    let mut rows = Vec::new();
    for row in text.lines().filter(|row| !row.is_empty()) {
        let Some(found) = quick(row) else { return quoted_rows(bytes, text) };
        rows.push(found);
    }
    Ok(rows)
}

fn quoted_rows<'t>(
    bytes: &[u8],
    text: &'t str,
) -> std::result::Result<Vec<(Cow<'t, str>, &'t str)>, Vec<String>> {
    let lines = parse(bytes)?;
    let rows = text.lines().filter(|row| !row.is_empty());
    Ok(lines.into_iter().map(|line| Cow::Owned(line.path)).zip(rows).collect())
}

fn fields(row: &str) -> Vec<String> {
    if !row.contains('"') {
        return row.split(',').map(str::to_owned).collect();
    }
    let (mut out, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = row.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    out.push(field);
    out
}

/// One line as text, line end included.
pub fn line(path: &str, hash: &str, size: Option<u64>) -> String {
    Line { path: path.to_owned(), hash: hash.to_owned(), size }.text()
}

/// Every way a RECORD and the files of its wheel disagree, sorted.
/// `own` is RECORD's own path; signatures beside it need no line (PEP 427).
pub fn check(lines: &[Line], members: &[Member], own: &str) -> Result<Vec<String>> {
    let mut by_path: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        by_path.entry(&line.path).or_default().push(line);
    }
    let unlisted = [own.to_owned(), format!("{own}.jws"), format!("{own}.p7s")];
    let mut problems: Vec<String> = members
        .par_iter()
        .filter_map(|m| {
            let path = m.path.as_str();
            if unlisted.iter().any(|u| u == path) {
                return None;
            }
            let line = by_path.get(path).and_then(|l| l.first());
            match line {
                None => Some(Ok(format!("`{path}` is not listed"))),
                Some(line) => disagreement(line, m).transpose(),
            }
        })
        .collect::<Result<_>>()?;
    for (path, listed) in &by_path {
        if listed.len() > 1 {
            problems.push(format!("`{path}` is listed {} times", listed.len()));
        }
        let here = members.binary_search_by(|m| m.path.as_str().cmp(path)).is_ok();
        if !here && !unlisted.iter().any(|u| u == path) {
            problems.push(format!("`{path}` is listed but is not in the wheel"));
        }
    }
    problems.sort();
    Ok(problems)
}

fn disagreement(line: &Line, member: &Member) -> Result<Option<String>> {
    let (path, bytes) = (&line.path, &member.bytes);
    let Some((algorithm, value)) = line.hash.split_once('=') else {
        return Ok(Some(format!("`{path}` has no hash")));
    };
    let real = match algorithm {
        "sha256" => digest::<Sha256>(bytes)?,
        "sha384" => digest::<Sha384>(bytes)?,
        "sha512" => digest::<Sha512>(bytes)?,
        _ => return Ok(Some(format!("`{path}` has a hash of the kind `{algorithm}`"))),
    };
    if value.trim_end_matches('=') != real {
        return Ok(Some(format!("`{path}` has another hash")));
    }
    Ok(match line.size {
        Some(size) if size != bytes.size() => {
            Some(format!("`{path}` has {} bytes, not {size}", bytes.size()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_quoted_as_csv() {
        let text = line("a,\"b\".py", "sha256=x", Some(3));
        assert_eq!(text, "\"a,\"\"b\"\".py\",sha256=x,3\n");
        let back = parse(text.as_bytes()).unwrap();
        assert_eq!(back, [Line { path: "a,\"b\".py".into(), hash: "sha256=x".into(), size: Some(3) }]);
        assert_eq!(parse(b"a,b\nc,d,e\nf,,\n").unwrap_err().len(), 2);
    }

    #[test]
    fn rows_are_what_is_written_with_their_paths() {
        let text = b"a.py,sha256=x,3\n\nb.py,,\r\nc,d,\n";
        let plain = [("a.py", "a.py,sha256=x,3"), ("b.py", "b.py,,"), ("c", "c,d,")];
        assert_eq!(rows(text).unwrap(), plain.map(|(path, row)| (Cow::Borrowed(path), row)));
        let quoted = rows(b"a,,1\n\"b,\"\"c\",,2\n").unwrap();
        assert_eq!(quoted, [("a", "a,,1"), ("b,\"c", "\"b,\"\"c\",,2")].map(|(p, r)| (Cow::Borrowed(p), r)));
        for wrong in [&b"a,b\n"[..], b"a,b,c\n", b"a,b,1,2\n", b"\"a,b,1\n", b"\xff,,\n"] {
            assert_eq!(rows(wrong).unwrap_err(), parse(wrong).unwrap_err());
        }
    }
}
