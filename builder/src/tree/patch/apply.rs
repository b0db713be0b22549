//! Hunks to bytes.
//!
//! Knows where a hunk fits: at its line, near it, or with less context. Must
//! never know names.

use super::parse::{Hunk, Side};
use super::{ALREADY, Fault};

/// Lines of context at each end that may differ, as for `patch`.
const FUZZ: usize = 2;

/// The file after all hunks.
pub(super) fn hunks(before: &[u8], hunks: &[Hunk<'_>]) -> Result<Vec<u8>, Fault> {
    let lines: Vec<&[u8]> = before.split_inclusive(|b| *b == b'\n').collect();
    let mut out = Vec::with_capacity(before.len());
    let (mut done, mut drift) = (0, 0isize);
    for (nth, hunk) in hunks.iter().enumerate() {
        // An empty old side stands behind the line it names.
        let first = if hunk.old_count == 0 { hunk.old_start } else { hunk.old_start.saturating_sub(1) };
        let expected = first.saturating_add_signed(drift).max(done);
        let sides = Sides::of(hunk);
        let Some(place) = sides.find(&lines, done, expected) else {
            let hint = sides.is_applied(&lines, hunk).then_some(ALREADY);
            let why = "its lines are not in the file";
            return Err(Fault { hunk: Some(nth + 1), hint, ..Fault::at(hunk.line, why) });
        };
        drift = place.at as isize - first as isize - place.head as isize;
        out.extend(lines[done..place.at].iter().copied().flatten());
        done = place.at;
        for (side, body) in &hunk.lines[place.head..hunk.lines.len() - place.tail] {
            match side {
                // The file's own bytes: its context may differ in the line feed at its end.
                Side::Both => {
                    out.extend_from_slice(lines[done]);
                    done += 1;
                }
                Side::Old => done += 1,
                Side::New => out.extend_from_slice(body),
            }
        }
    }
    out.extend(lines[done..].iter().copied().flatten());
    Ok(out)
}

/// A hunk's old and new lines, and how much context it has at each end.
struct Sides<'a> {
    old: Vec<&'a [u8]>,
    new: Vec<&'a [u8]>,
    head: usize,
    tail: usize,
    /// Nothing lies above: it must be at the start of the file.
    at_start: bool,
}

/// Where a hunk goes, and how many of its lines at each end are left out.
struct Place {
    at: usize,
    head: usize,
    tail: usize,
}

impl<'a> Sides<'a> {
    fn of(hunk: &Hunk<'a>) -> Self {
        let side = |wanted: Side| -> Vec<&'a [u8]> {
            let lines = hunk.lines.iter().filter(|(side, _)| *side == Side::Both || *side == wanted);
            lines.map(|(_, body)| *body).collect()
        };
        let is_context = |(side, _): &&(Side, &[u8])| *side == Side::Both;
        let head = hunk.lines.iter().take_while(is_context).count();
        let tail = hunk.lines.iter().rev().take_while(is_context).count();
        Self {
            old: side(Side::Old),
            new: side(Side::New),
            head,
            tail,
            at_start: hunk.old_start <= 1 && head < tail,
        }
    }

    /// The place nearest to the expected one, with as little left out as can be.
    fn find(&self, lines: &[&[u8]], from: usize, expected: usize) -> Option<Place> {
        let most = FUZZ.min(self.head.max(self.tail));
        (0..=most).find_map(|fuzz| {
            // As `patch`: the longer end loses lines first.
            let context = self.head.max(self.tail);
            let head = (fuzz + self.head).saturating_sub(context).min(self.head);
            let tail = (fuzz + self.tail).saturating_sub(context).min(self.tail);
            let wanted = &self.old[head..self.old.len() - tail];
            let start = if fuzz == 0 && self.at_start && from == 0 {
                return fits(lines, 0, wanted).then_some(Place { at: 0, head, tail });
            } else {
                expected + head
            };
            nearest(lines, wanted, from, start).map(|at| Place { at, head, tail })
        })
    }

    /// Whether the file looks as if the change were in it already.
    fn is_applied(&self, lines: &[&[u8]], hunk: &Hunk<'_>) -> bool {
        !self.new.is_empty() && nearest(lines, &self.new, 0, hunk.new_start.saturating_sub(1)).is_some()
    }
}

/// The match nearest to `start`, not before `from`.
fn nearest(lines: &[&[u8]], wanted: &[&[u8]], from: usize, start: usize) -> Option<usize> {
    let last = lines.len().checked_sub(wanted.len())?;
    let start = start.min(last);
    let reach = last.max(start.saturating_sub(from));
    (0..=reach).find_map(|distance| {
        let after = (start + distance <= last).then(|| start + distance);
        let before = start.checked_sub(distance).filter(|at| *at >= from && distance > 0);
        let fits = |at: &usize| *at >= from && fits(lines, *at, wanted);
        after.filter(fits).or_else(|| before.filter(fits))
    })
}

fn fits(lines: &[&[u8]], at: usize, wanted: &[&[u8]]) -> bool {
    lines.get(at..at + wanted.len()).is_some_and(|here| here == wanted)
}
