//! `export`: the text or the files, and what they do not say.
//!
//! Knows how that is told. Must never know a format.

use serde_json::json;

use super::args::{Common, ExportArgs, ExportFormat};
use super::{Outcome, print, settings, show_findings};
use crate::ambient::Ambient;
use crate::ops::export::{self, Format, Request};
use crate::ops::goals::Everything;
use crate::ops::report::wire;

/// `wheelwright export`.
pub fn export(ambient: &Ambient, common: &Common, args: &ExportArgs) -> Outcome {
    let request = Request {
        format: format(args.format),
        words: args.packages.clone(),
        env: args.env.clone(),
        everything: Everything { workspace: args.all, base: false, broken: common.allow_broken },
        output: args.output.clone(),
        settings: settings(common, false)?,
    };
    let report = match export::export(ambient, &request)? {
        Ok(report) => report,
        Err(findings) => {
            if common.json {
                print::result(&wire::refused(&findings));
            }
            return Ok(show_findings(common, &findings));
        }
    };
    show_findings(common, &report.findings);
    if common.json {
        let value = json!({
            "format": 1,
            "files": report.files,
            "text": report.text,
            "notes": report.notes,
        });
        print::result(&format!("{value:#}"));
        return Ok(None);
    }
    report.text.iter().for_each(|text| print::result_text(text));
    report.files.iter().for_each(|path| print::result(&path.display().to_string()));
    if !common.quiet {
        report.notes.iter().for_each(|note| print::talk(&format!("note: {note}")));
    }
    Ok(None)
}

fn format(asked: ExportFormat) -> Format {
    match asked {
        ExportFormat::Requirements => Format::Requirements,
        ExportFormat::Constraints => Format::Constraints,
        ExportFormat::Pylock => Format::Pylock,
        ExportFormat::Cyclonedx => Format::Cyclonedx,
        ExportFormat::Dot => Format::Dot,
        ExportFormat::Svg => Format::Svg,
        ExportFormat::Html => Format::Html,
        ExportFormat::Nix => Format::Nix,
    }
}
