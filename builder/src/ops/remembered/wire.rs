//! An answer and what it rests on, as a row holds them.
//!
//! Knows the format. Must never know how an answer came to be.

use serde::{Deserialize, Serialize};

use super::Answer;
use super::seen::Seen;
use crate::ambient::Ambient;
use crate::event::{Ended, StepKind};
use crate::key::Digest;
use crate::ops::report::{Entry, Report};
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
        let AnswerV1 { entries, warnings, left_out, start_up, place } = self.answer;
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
        Some(Answer { report, warnings, left_out, place })
    }
}
