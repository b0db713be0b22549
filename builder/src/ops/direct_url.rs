//! PEP 610: where an install came from, when that was no index.
//!
//! Knows sources and the form of `direct_url.json`. Must never look at a disk
//! or repeat credentials.

use std::path::{Path, PathBuf};

use recipes::recipe::{GitRev, Origin, Promise, Source};
use reqwest::Url;

use crate::fetch::auth::public;

/// The text for a source; nothing for one from an index, or for a git source
/// whose commit is not known, without which there is no such file.
pub fn text(source: &Source, folder: &dyn Fn(&str) -> PathBuf, commit: Option<&str>) -> Option<String> {
    let mut value = match &source.origin {
        Origin::Pypi { .. } => return None,
        Origin::Path { dir, .. } => serde_json::json!({ "url": file_url(&folder(dir))?, "dir_info": {} }),
        Origin::Url { urls, unpack } => {
            let info = match source.promise {
                // That of a tree is not the archive's.
                Promise::Hash(hash) if !unpack => serde_json::json!({ "hashes": { "sha256": hash.hex() } }),
                _ => serde_json::json!({}),
            };
            serde_json::json!({ "url": public(urls.first()?), "archive_info": info })
        }
        Origin::Git { url, rev, .. } => {
            let (GitRev::Rev(rev) | GitRev::Tag(rev)) = rev;
            let info = serde_json::json!({ "vcs": "git", "requested_revision": rev, "commit_id": commit? });
            serde_json::json!({ "url": public(url), "vcs_info": info })
        }
    };
    if !source.subdirectory.is_empty() {
        value["subdirectory"] = source.subdirectory.clone().into();
    }
    Some(value.to_string())
}

fn file_url(folder: &Path) -> Option<String> {
    Url::from_file_path(folder).ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use recipes::diag::SourceFile;

    use super::*;

    fn of(source: &str, commit: Option<&str>) -> Option<String> {
        let head = "pname = \"a\"\nversion = \"1\"\nbuild-system = []\n[source]\n";
        let file = Arc::new(SourceFile { path: "a.toml".into(), text: format!("{head}{source}") });
        let files = vec![recipes::book::LayerFile { file, pyproject: None }];
        let (book, findings) =
            recipes::book::assemble(&[recipes::book::Layer { name: "recipes".into(), files }]);
        assert_eq!(book.recipes.len(), 1, "{findings:?}");
        text(&book.recipes[0].sources[0], &|dir| Path::new("/home/ann b/ä").join(dir), commit)
    }

    const HASH: &str = "hash = \"sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=\"\n";

    #[test]
    fn a_folder_is_an_escaped_address() {
        let told = of("path = \"x\"\n", None).unwrap();
        assert_eq!(told, r#"{"dir_info":{},"url":"file:///home/ann%20b/%C3%A4/x"}"#);
    }

    #[test]
    fn git_says_the_commit_and_what_was_asked_for() {
        let source = format!("git = \"https://token@example.org/a.git\"\ntag = \"v1\"\n{HASH}");
        let told = of(&source, Some("c0ffee")).unwrap();
        let expected = r#"{"url":"https://example.org/a.git","vcs_info":{"commit_id":"c0ffee","requested_revision":"v1","vcs":"git"}}"#;
        assert_eq!(told, expected);
        assert_eq!(of(&source, None), None, "without a commit it is not PEP 610");
    }

    #[test]
    fn an_archive_has_its_hash_and_an_index_none_of_this() {
        let told = of(&format!("url = \"https://example.org/a.tar.gz\"\n{HASH}"), None).unwrap();
        assert!(told.contains(r#""archive_info":{"hashes":{"sha256":"08fdd5ef"#), "{told}");
        assert_eq!(of(&format!("pypi = \"a\"\n{HASH}"), None), None);
    }
}
