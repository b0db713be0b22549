//! The few bits of HTML a project page (PEP 503) is made of.
//!
//! Knows tags, attributes and entities, however sloppy. Must never know what
//! the links mean.

/// A link: its attributes (names in lower case) and its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Anchor {
    /// The value of an attribute; empty when it has none.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What is read of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    /// `<base href>`.
    pub base: Option<String>,
    /// Every `<a>` with an `href`, in order.
    pub anchors: Vec<Anchor>,
}

/// Reads a page. There is no such thing as a wrong page, only one without links.
pub(super) fn read(text: &str) -> Links {
    let (mut out, mut rest) = (Links::default(), text);
    let mut open: Option<Anchor> = None;
    while let Some(at) = rest.find('<') {
        if let Some(anchor) = &mut open {
            anchor.text.push_str(&rest[..at]);
        }
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '/')).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        if name.is_empty() && !rest.starts_with(['!', '?']) {
            // A lone `<` is text.
            continue;
        }
        let attributes;
        (attributes, rest) = read_attributes(&rest[end..]);
        match name.as_str() {
            "a" | "/a" => {
                out.anchors.extend(open.take().map(finish));
                let linked = attributes.iter().any(|(n, _)| n == "href");
                open = (name == "a" && linked).then_some(Anchor { attributes, text: String::new() });
            }
            "base" if out.base.is_none() => {
                out.base = attributes.into_iter().find(|(n, _)| n == "href").map(|(_, v)| v);
            }
            "script" | "style" => {
                let close = format!("</{name}");
                rest = find_no_case(rest, &close).map_or("", |at| &rest[at..]);
            }
            _ => {}
        }
    }
    if let Some(mut anchor) = open {
        anchor.text.push_str(rest);
        out.anchors.push(finish(anchor));
    }
    out
}

fn finish(mut anchor: Anchor) -> Anchor {
    anchor.text = unescape(anchor.text.trim());
    anchor
}

fn find_no_case(text: &str, what: &str) -> Option<usize> {
    let (text, what) = (text.as_bytes(), what.as_bytes());
    text.windows(what.len()).position(|w| w.eq_ignore_ascii_case(what))
}

/// Attributes up to the tag's `>`, and what follows it.
fn read_attributes(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (out, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (out, after);
        }
        // A stray `=` or quote begins a name, as browsers have it.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let stop = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
        let end = rest[first..].find(stop).map_or(rest.len(), |at| at + first);
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let value;
        (value, rest) = match rest.strip_prefix('=') {
            Some(after) => read_value(after.trim_start()),
            None => (String::new(), rest),
        };
        out.push((name, value));
    }
}

fn read_value(text: &str) -> (String, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            let end = inner.find(quote).unwrap_or(inner.len());
            return (unescape(&inner[..end]), inner.get(end + 1..).unwrap_or(""));
        }
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len());
    (unescape(&text[..end]), &text[end..])
}

/// `&gt;` -> `>`; the entities project pages use, and all numeric ones.
fn unescape(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // No entity is longer than this.
        let end = rest.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sloppy_pages_are_read() {
        let page = "<!DOCTYPE html><HTML><head><base href='https://f.test/x/'>\
            <!-- <a href=no>no</a> --><script>var a = '<a href=\"no\">';</SCRIPT></head>\
            <A HREF=a-1.tar.gz#sha256=00 >a-1.tar.gz</A>\
            <a data-requires-python=\"&gt;=3.8,&#60;4 &amp;&unknown;\" href='b 1.whl' data-yanked>b<br/>&#x2d;1</a>\
            <a name=x>not a link</a> 1 < 2 <a href=\"last.zip\">last";
        let links = read(page);
        assert_eq!(links.base.as_deref(), Some("https://f.test/x/"));
        let seen: Vec<(&str, &str)> =
            links.anchors.iter().map(|a| (a.attribute("href").unwrap(), a.text.as_str())).collect();
        assert_eq!(seen, [("a-1.tar.gz#sha256=00", "a-1.tar.gz"), ("b 1.whl", "b-1"), ("last.zip", "last")]);
        let second = &links.anchors[1];
        assert_eq!(second.attribute("data-requires-python"), Some(">=3.8,<4 &&unknown;"));
        assert_eq!(second.attribute("data-yanked"), Some(""));
    }

    #[test]
    fn broken_pages_end() {
        for page in
            ["<", "<a", "<a href", "<a href=", "<a href='x", "<!--", "<script>", "&", "<a =>x", "<a \"é=1>"]
        {
            assert!(read(page).anchors.len() <= 1, "{page}");
        }
        assert_eq!(unescape("&ééééééé;&#xD800;&#99999999999;"), "&ééééééé;&#xD800;&#99999999999;");
    }
}
