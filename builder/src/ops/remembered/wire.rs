//! An answer and what it rests on, as a row holds them.
//!
//! Knows the format. Must never know how an answer came to be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Answer;
use super::seen::Seen;
use crate::ambient::Ambient;
use crate::event::{Ended, StepKind};
use crate::key::{Digest, StepKey, TreeDigest};
use crate::ops::environments::Makings;
use crate::ops::report::{Entry, Report};
use crate::outputs::modules::Host;
use crate::store::Store;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemoV1 {
    /// Variables that were asked for, each with the digest of its value.
    pub vars: Vec<(String, Option<String>)>,
    /// What was looked at on disk.
    pub seen: Vec<Seen>,
    /// What must be in the store, as seen from its folder.
    pub there: Vec<String>,
    /// Links of the user, and where they must lead.
    pub links: Vec<(String, String)>,
    /// What was told.
    pub answer: AnswerV1,
}

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AnswerV1 {
    /// Package and step of each entry of the report: all were kept.
    pub entries: Vec<(String, String)>,
    /// As in [`Answer`].
    pub warnings: Vec<String>,
    /// As in [`Answer`].
    pub left_out: Vec<(String, String)>,
    /// As in [`Report`].
    pub start_up: Vec<(String, String)>,
    /// As in [`Answer`].
    pub place: Option<String>,
    /// As in [`Answer`].
    pub makings: Option<MakingsV1>,
}

/// What an environment is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MakingsV1 {
    /// The interpreter: executable, version, word in paths, identity.
    host: (PathBuf, String, String, String),
    /// Name, version and tree of each member.
    installs: Vec<(String, String, String)>,
    direct_urls: BTreeMap<String, String>,
    keys: Vec<String>,
}

impl MakingsV1 {
    pub(super) fn of(makings: &Makings) -> Self {
        let Makings { host, installs, direct_urls, keys } = makings;
        let install = |(name, version, tree): &(String, String, TreeDigest)| {
            (name.clone(), version.clone(), tree.hex())
        };
        Self {
            host: (host.exe.clone(), host.version.clone(), host.python.clone(), host.identity.hex()),
            installs: installs.iter().map(install).collect(),
            direct_urls: direct_urls.clone(),
            keys: keys.iter().map(StepKey::hex).collect(),
        }
    }

    /// Nothing for what a newer program wrote.
    fn read(self) -> Option<Makings> {
        let (exe, version, python, identity) = self.host;
        let install = |(name, version, tree): (String, String, String)| {
            Some((name, version, TreeDigest(tree.parse().ok()?)))
        };
        Some(Makings {
            host: Host { exe, version, python, identity: identity.parse().ok()? },
            installs: self.installs.into_iter().map(install).collect::<Option<_>>()?,
            direct_urls: self.direct_urls,
            keys: self.keys.iter().map(|key| StepKey::from_hex(key).ok()).collect::<Option<_>>()?,
        })
    }
}

impl MemoV1 {
    /// Whether all is as it was.
    pub(super) fn holds(&self, ambient: &Ambient, store: &Store) -> bool {
        let leads = |(link, to): &(String, String)| {
            std::fs::read_link(link).is_ok_and(|now| now.as_os_str() == to.as_str())
                && std::fs::metadata(link).is_ok_and(|meta| meta.is_dir())
        };
        self.vars.iter().all(|(name, known)| value(ambient, name) == *known)
            && self.links.iter().all(leads)
            && self.there.iter().all(|path| store.root().join(path).exists())
            && self.seen.iter().all(Seen::holds)
    }

    /// Takes note of what need no longer be read; whether there is any.
    pub(super) fn settle(&mut self, ambient: &Ambient) -> bool {
        // Each: none may be left out because one before was news.
        self.seen.iter_mut().map(|seen| seen.settle(ambient.now)).filter(|news| *news).count() > 0
    }
}

/// The digest of a variable's value: it may be a password.
pub(super) fn value(ambient: &Ambient, name: &str) -> Option<String> {
    use std::os::unix::ffi::OsStrExt as _;
    ambient.var_os(name).map(|value| Digest::of(value.as_bytes()).hex())
}

impl MemoV1 {
    /// The answer; nothing for one that a newer program wrote.
    pub(super) fn answer(self) -> Option<Answer> {
        let AnswerV1 { entries, warnings, left_out, start_up, place, makings } = self.answer;
        let makings = match makings {
            Some(makings) => Some(makings.read()?),
            None => None,
        };
        let entry = |(package, word): (String, String)| {
            let kind = StepKind::ALL.into_iter().find(|kind| kind.word() == word)?;
            Some(Entry {
                package,
                kind,
                ended: Ended::Reused,
                took: std::time::Duration::ZERO,
                blocked_by: None,
            })
        };
        let entries = entries.into_iter().map(entry).collect::<Option<_>>()?;
        let results = self.links.into_iter().map(|(link, _)| link.into()).collect();
        let report = Report { entries, start_up, results, ..Report::default() };
        Some(Answer { report, warnings, left_out, place, makings })
    }
}
