//! Header files of a wheel: METADATA (core metadata up to 2.6) and WHEEL.
//!
//! Knows where each header stands in the text, so that an edit changes only
//! the bytes it means. Must never know what asks for an edit.

use std::ops::Range;

/// A text of `Name: value` lines and a body, kept as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    text: String,
    lines: Vec<Header>,
    body: usize,
}

/// One header and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// As written.
    pub name: String,
    /// The value with folded lines joined, trimmed.
    pub value: String,
    /// The bytes of the value, trimmed.
    pub span: Range<usize>,
    /// The bytes of the whole header, line end included.
    pub line: Range<usize>,
}

impl Headers {
    /// Reads a text; the error names the first line that is not a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?.to_owned();
        let (mut lines, mut at): (Vec<Header>, usize) = (Vec::new(), 0);
        let mut body = text.len();
        for line in text.split_inclusive('\n') {
            let (start, content) = (at, line.trim_end_matches(['\n', '\r']));
            at += line.len();
            if content.is_empty() {
                body = at;
                break;
            }
            if content.starts_with([' ', '\t']) {
                let last = lines.last_mut().ok_or("its first line is indented")?;
                last.line.end = at;
                last.span.end = start + content.trim_end().len();
                // In place: a folded value may have a million lines.
                let more = content.trim();
                if !last.value.is_empty() && !more.is_empty() {
                    last.value.push(' ');
                }
                last.value.push_str(more);
                continue;
            }
            let number = lines.len() + 1;
            let (name, value) = content
                .split_once(':')
                .filter(|(n, _)| !n.is_empty() && !n.contains(char::is_whitespace))
                .ok_or_else(|| format!("`{}` (header {number}) is not a header", shorten(content)))?;
            let left = name.len() + 1 + (value.len() - value.trim_start().len());
            let value = value.trim();
            lines.push(Header {
                name: name.to_owned(),
                value: value.to_owned(),
                span: start + left..start + left + value.len(),
                line: start..at,
            });
        }
        Ok(Self { text, lines, body })
    }

    /// The text, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text after the headers.
    pub fn body(&self) -> &str {
        &self.text[self.body..]
    }

    /// Every header of a name, in order; names ignore case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Header> {
        self.lines.iter().filter(move |h| h.name.eq_ignore_ascii_case(name))
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value.as_str())
    }

    /// The values of a name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.all(name).map(|h| h.value.clone()).collect()
    }

    /// The same text with some bytes replaced. Spans must not overlap.
    pub fn edited(&self, mut edits: Vec<(Range<usize>, String)>) -> String {
        edits.sort_by_key(|(span, _)| span.start);
        let (mut out, mut at) = (String::with_capacity(self.text.len()), 0);
        for (span, new) in edits {
            out.push_str(&self.text[at..span.start]);
            out.push_str(&new);
            at = span.end;
        }
        out.push_str(&self.text[at..]);
        out
    }
}

fn shorten(line: &str) -> String {
    line.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_fold_and_the_body_is_kept() {
        let text = "Name: a\r\nSummary: one\n  two\nRequires-Dist:  b>1 \n\nName: not a header\n";
        let h = Headers::parse(text.as_bytes()).unwrap();
        assert_eq!(h.get("summary"), Some("one two"));
        assert_eq!(h.values("Name"), ["a"]);
        assert_eq!(h.body(), "Name: not a header\n");
        let r = h.all("Requires-Dist").next().unwrap();
        assert_eq!(&h.text()[r.span.clone()], "b>1");
        assert_eq!(h.edited(vec![(r.span.clone(), "b".into())]), text.replace("b>1", "b"));
        assert_eq!(
            h.edited(vec![(r.line.clone(), String::new())]),
            text.replace("Requires-Dist:  b>1 \n", "")
        );
        let long = format!("Description: x\n{}", " a\n".repeat(1 << 20));
        assert_eq!(Headers::parse(long.as_bytes()).unwrap().get("Description").unwrap().len(), (2 << 20) + 1);
        assert!(Headers::parse(b"no header\n").is_err());
        assert!(Headers::parse(b" indented: x\n").is_err());
        assert!(Headers::parse(b"A: \xff\n").is_err());
    }
}
