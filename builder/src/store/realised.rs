//! Looking up and recording what was realised.
//!
//! Knows that a realisation counts only while its output is on disk. Must
//! never know how keys are made.

use std::collections::HashMap;

use super::input::Input;
use super::realisation::{Output, Realisation};
use super::{Record, Store};
use crate::error::Result;
use crate::key::{ContentKey, Digest, StepKey};
use crate::tree::fault;

impl Store {
    /// What a key gave, if it was made and its output is still there. One
    /// whose output is gone is forgotten, so that it is made again.
    pub fn lookup(&self, key: &StepKey) -> Result<Option<Realisation>> {
        let Some(found) = self.state().by_key(key)? else { return Ok(None) };
        let kept = self.still_there(vec![(*key, found)])?;
        Ok(kept.into_iter().next().map(|(_, found)| found))
    }

    /// What the same spec with the same inputs' bytes gave before, whatever
    /// was asked for then: the early cut-off.
    pub fn lookup_content(&self, key: &ContentKey) -> Result<Option<Realisation>> {
        let found = self.state().by_content(key)?;
        if found.is_empty() {
            return Ok(None);
        }
        Ok(self.still_there(found)?.into_iter().next().map(|(_, found)| found))
    }

    /// [`Store::lookup`] of many keys with one read of the database.
    pub fn lookup_many<'k>(
        &self,
        keys: impl Iterator<Item = &'k StepKey> + Clone,
    ) -> Result<HashMap<StepKey, Realisation>> {
        let found = self.state().by_keys(keys)?;
        if found.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(self.still_there(found)?.into_iter().collect())
    }

    /// Writes down a success. The output must be in the store already; a
    /// second record of a key replaces the first.
    pub fn record(&self, record: &Record) -> Result<()> {
        fault::point();
        self.state().record(record)?;
        fault::point();
        Ok(())
    }

    /// Pins outputs and logs, then drops what is not on disk, and forgets it.
    fn still_there(&self, found: Vec<(StepKey, Realisation)>) -> Result<Vec<(StepKey, Realisation)>> {
        let held: Vec<Input> = found.iter().flat_map(|(_, r)| outputs(r)).collect();
        let gate = self.gate()?;
        self.pin(&held)?;
        let (mut kept, gone): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, r)| self.is_there(r));
        drop(gate);
        if !gone.is_empty() {
            let keys: Vec<StepKey> = gone.iter().map(|(key, _)| *key).collect();
            self.state().forget(&keys)?;
        }
        // Most steps say nothing: theirs is one log, the empty one.
        let mut seen = HashMap::new();
        let mut is_kept =
            |log: &Digest| *seen.entry(*log).or_insert_with_key(|log| self.blob_path(log).is_file());
        for (_, realisation) in &mut kept {
            // A lost log is no reason to build again.
            realisation.log = realisation.log.filter(&mut is_kept);
        }
        Ok(kept)
    }

    fn is_there(&self, realisation: &Realisation) -> bool {
        match &realisation.output {
            Output::Blob { digest, .. } => self.blob_path(digest).is_file(),
            Output::Tree(digest) => self.tree_path(digest).is_dir(),
            Output::Passed => true,
        }
    }
}

/// The bytes a realisation stands or falls with; none for a check.
pub(super) fn output(realisation: &Realisation) -> Option<Input> {
    match &realisation.output {
        Output::Blob { digest, .. } => Some(Input::Blob(*digest)),
        Output::Tree(digest) => Some(Input::Tree(*digest)),
        Output::Passed => None,
    }
}

/// What a realisation consists of: its output and its log.
pub(super) fn outputs(realisation: &Realisation) -> impl Iterator<Item = Input> {
    output(realisation).into_iter().chain(realisation.log.map(Input::Blob))
}
