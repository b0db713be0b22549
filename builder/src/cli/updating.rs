//! `update`: what changes, what is held back, and what came of it.
//!
//! Knows flags and lines. Must never know how versions are chosen.

use super::args::{Common, UpdateArgs};
use super::progress::Progress;
use super::{Outcome, error_text, json, print, settings, show_findings, talk};
use crate::ambient::Ambient;
use crate::error::{Kind, Result, count};
use crate::ops::build::{self, Built, Planned};
use crate::ops::report::wire;
use crate::ops::update::{
    Bump, Checked, Desk, HeldBack, Level, Proposal, Proposed, Request, check, commit, propose, repository,
};

/// What came of a proposal.
#[derive(Default)]
pub struct Done {
    /// Nothing was to be written.
    pub dry_run: bool,
    /// The bumps that were made.
    pub made: Vec<usize>,
    /// What `--check` found.
    pub checked: Option<Checked>,
    /// The commits, by their first lines.
    pub commits: Vec<String>,
}

/// `wheelwright update`.
pub fn update(ambient: &Ambient, common: &Common, args: &UpdateArgs) -> Outcome {
    let request = Request {
        names: args.names.clone(),
        all: args.all,
        level: match (args.minor, args.patch) {
            (_, true) => Level::Patch,
            (true, _) => Level::Minor,
            _ => Level::Any,
        },
        cooldown: args.cooldown.clone(),
        exclude_newer: args.exclude_newer.clone(),
        settings: settings(common, false)?,
    };
    let proposal = match propose(ambient, &request)? {
        Proposed::Done(proposal) => *proposal,
        Proposed::Findings(findings) => {
            print::talk("nothing is updated: this stands against it");
            if common.json {
                print::result(&wire::refused(&findings));
            }
            return Ok(Some(show_findings(common, &findings).unwrap_or(Kind::Input)));
        }
    };
    show_findings(common, &proposal.findings);
    if !common.json {
        tell(common, &proposal);
    }
    let done = make(ambient, common, (args, &request), &proposal)?;
    if common.json {
        print::result(&json::updating::updated(&proposal, &done));
    } else {
        tell_done(common, &proposal, &done);
    }
    for (_, error) in &proposal.failed {
        print::talk_text(&error_text(error));
    }
    let failed = proposal.failed.iter().map(|(_, error)| error.kind);
    let checked = done.checked.as_ref();
    let broken = checked.filter(|c| !c.reverted.is_empty()).map(|_| Kind::Build);
    let stopped = checked.filter(|c| c.stopped).map(|_| Kind::Stopped);
    Ok(Kind::first(failed.chain(broken).chain(stopped)))
}

/// Writes, checks and commits, as far as that is asked for.
fn make(
    ambient: &Ambient,
    common: &Common,
    (args, request): (&UpdateArgs, &Request),
    proposal: &Proposal,
) -> Result<Done> {
    let mut done = Done { dry_run: args.dry_run, ..Done::default() };
    let all: Vec<usize> = (0..proposal.bumps.len()).collect();
    if args.dry_run {
        return Ok(done);
    }
    let repository = if args.commit { Some(repository(ambient, proposal)?) } else { None };
    if all.is_empty() {
        return Ok(done);
    }
    let mut desk = Desk::open(proposal)?;
    desk.lay(&all)?;
    if args.check {
        let mut run = |planned: &Planned| run(ambient, common, planned);
        done.checked = Some(check((ambient, &request.settings), (proposal, &mut desk), &mut run)?);
    }
    done.made = desk.made();
    if let Some(repository) = &repository {
        done.commits = commit(repository, proposal, &desk)?;
    }
    Ok(done)
}

/// Runs a plan of the check, told live.
fn run(ambient: &Ambient, common: &Common, planned: &Planned) -> Result<Built> {
    let mut progress = Progress::new(talk(common), super::live(ambient), planned.machines.jobs);
    planned.machines.heed_interrupts()?;
    let built = build::run(planned, false, &mut |event| progress.see(event));
    progress.done();
    built
}

fn tell(common: &Common, proposal: &Proposal) {
    for bump in &proposal.bumps {
        print::result_text(&bump_text(bump));
    }
    for new in &proposal.new {
        let why = if new.for_builds { " (for builds)" } else { "" };
        print::result(&format!("new recipe: {}{why}", new.label));
        new.notes.iter().for_each(|note| print::talk(&format!("note: {}: {note}", new.label)));
    }
    for held in &proposal.held {
        print::result(&held_text(held));
    }
    if common.quiet {
        return;
    }
    for held in &proposal.beyond {
        print::talk(&format!("not taken: {} {} {}", held.pname, held.version, held.reasons.join("; ")));
    }
    for (label, reason) in &proposal.skipped {
        print::talk(&format!("left alone: {label}: {reason}"));
    }
    proposal.notes.iter().for_each(|note| print::talk(&format!("note: {note}")));
}

/// `urllib3 2.2.1 is held at 1.26.20: botocore 1.34 needs urllib3<2.1`.
fn held_text(held: &HeldBack) -> String {
    let reasons = if held.reasons.is_empty() { "the set".to_owned() } else { held.reasons.join("; ") };
    format!("{} {} is held at {}: {reasons}", held.pname, held.version, held.at)
}

fn bump_text(bump: &Bump) -> String {
    let mut out = format!("{} {} -> {}", bump.pname, bump.old, bump.new);
    if let Some(day) = bump.uploaded.as_deref().and_then(|moment| moment.get(..10)) {
        out += &format!(" ({day})");
    }
    if bump.along {
        out += ", which others need";
    }
    out.push('\n');
    let mut line = |text: String| out += &format!("  {text}\n");
    for change in bump.changes.iter().filter(|c| !c.field.starts_with("meta.")) {
        let old = change.old.iter().map(|text| format!("-{text}"));
        let new = change.new.iter().map(|text| format!("+{text}"));
        line(format!("{}: {}", change.field, old.chain(new).collect::<Vec<_>>().join(" ")));
    }
    if bump.license.0 != bump.license.1 {
        let said = |license: &Option<String>| license.clone().unwrap_or_else(|| "unknown".to_owned());
        line(format!("license: {} -> {}", said(&bump.license.0), said(&bump.license.1)));
    }
    for kept in &bump.kept {
        let mine = kept.mine.as_ref().map_or("is left out".to_owned(), |mine| format!("stays {mine}"));
        let upstream = kept.upstream.as_deref().unwrap_or("has none");
        line(format!("{} {mine}, as changed by hand (upstream: {upstream})", kept.field));
    }
    if let Some(changelog) = &bump.changelog {
        line(format!("changelog: {changelog}"));
    }
    if !bump.rebuilds.is_empty() {
        line(format!("rebuilds {}: {}", bump.rebuilds.len(), bump.rebuilds.join(", ")));
    }
    if !bump.users.is_empty() {
        line(format!("used by {}: {}", bump.users.len(), bump.users.join(", ")));
    }
    for note in &bump.notes {
        line(format!("note: {note}"));
    }
    out
}

fn tell_done(common: &Common, proposal: &Proposal, done: &Done) {
    let label = |i: &usize| {
        let bump = &proposal.bumps[*i];
        format!("{} {} -> {}", bump.pname, bump.old, bump.new)
    };
    if let Some(checked) = &done.checked {
        for reverted in &checked.reverted {
            let bumps: Vec<String> = reverted.bumps.iter().map(label).collect();
            let together = if bumps.len() > 1 { ", together" } else { "" };
            print::result(&format!("taken back{together}: {}", bumps.join(", ")));
            let them = if bumps.len() > 1 { "them" } else { "it" };
            print::talk(&format!("with {them} {} failed: {}", reverted.failed, reverted.failure.message));
            reverted.failure.causes.iter().for_each(|cause| print::talk(&format!("  {cause}")));
            reverted.failure.log_tail.iter().for_each(|line| print::talk(&format!("  | {line}")));
        }
        for (label, message) in &checked.broken_before {
            print::talk(&format!("{label} failed before, too: {message}"));
        }
        if checked.stopped {
            print::talk("stopped: all recipes are as they were");
        }
    }
    done.commits.iter().for_each(|subject| print::talk(&format!("committed {subject}")));
    if common.quiet {
        return;
    }
    let (made, verb) = match done.dry_run {
        true => (proposal.bumps.len(), "would be updated"),
        false => (done.made.len(), "updated"),
    };
    let mut line = format!("{} of {} {verb}", made, count(proposal.looked_at, "recipe"));
    if !proposal.new.is_empty() {
        line += &format!(", {} new", proposal.new.len());
    }
    if !proposal.held.is_empty() {
        line += &format!(", {} held back", proposal.held.len());
    }
    if let Some(checked) = &done.checked {
        line += &format!(", {} checked", checked.good);
        let missed = proposal.goals.len().saturating_sub(checked.good);
        if missed > 0 && !checked.stopped {
            line += &format!(" ({missed} could not be, for what failed before)");
        }
        let reverted: usize = checked.reverted.iter().map(|r| r.bumps.len()).sum();
        if reverted > 0 {
            line += &format!(", {reverted} taken back");
        }
    }
    print::talk(&line);
}
