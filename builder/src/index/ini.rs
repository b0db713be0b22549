//! pip's configuration files are what Python's RawConfigParser reads.
//!
//! Knows sections, keys and continued lines. Must never know what they mean.

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub section: String,
    /// In lower case, dashes for underscores, without leading dashes, as pip has it.
    pub key: String,
    /// Continued lines joined by newlines.
    pub value: String,
}

/// Reads the text. Lines that are no settings are passed over.
pub(super) fn read(text: &str) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    let mut section = String::new();
    // How far the setting that may be continued is indented.
    let mut open: Option<usize> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if let (Some(own), Some(last)) = (open, out.last_mut())
            && indent > own
        {
            last.value.push('\n');
            last.value.push_str(trimmed);
            continue;
        }
        open = None;
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.split_once(']')) {
            section = name.0.to_owned();
        } else if let Some(at) = trimmed.find(['=', ':']) {
            open = Some(indent);
            let key = trimmed[..at].trim().to_lowercase().replace('_', "-");
            out.push(Entry {
                section: section.clone(),
                key: key.trim_start_matches('-').to_owned(),
                value: trimmed[at + 1..].trim().to_owned(),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_python_does() {
        let text = "\u{feff}# c\n[global]\nIndex_URL = https://u:p=q@h.test/simple\n\
            extra-index-url =\n    https://a.test/x\n  # within\n    https://b.test/y\n; c\n\
            cert: /c.pem\nflag\n[install]\ntimeout=5\n";
        let entries = read(text);
        let seen: Vec<(&str, &str, &str)> =
            entries.iter().map(|e| (e.section.as_str(), e.key.as_str(), e.value.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("global", "index-url", "https://u:p=q@h.test/simple"),
                ("global", "extra-index-url", "\nhttps://a.test/x\nhttps://b.test/y"),
                ("global", "cert", "/c.pem"),
                ("install", "timeout", "5"),
            ]
        );
    }
}
