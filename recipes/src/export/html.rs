//! `html`: one page with the graph and a table of the packages.
//!
//! Knows HTML. Must never load anything from elsewhere.

use std::fmt::Write as _;

use super::Selection;
use super::graph::{escaped, svg};

const STYLE: &str = "body { font-family: sans-serif; margin: 2em; } div { overflow: auto; } \
                     table { border-collapse: collapse; } td, th { padding: 4px 12px; text-align: left; \
                     vertical-align: top; border-bottom: 1px solid #ccc; }";

/// A page that stands alone.
pub fn html(selection: &Selection<'_>) -> String {
    let named = selection.parts.iter().filter(|p| p.named);
    let title: Vec<String> = named.map(|p| escaped(&selection.set.label(p.id))).collect();
    let title =
        if title.len() > 4 { format!("{} packages", selection.parts.len()) } else { title.join(", ") };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}</p>\n<div>\n{}</div>\n<table>\n\
         <tr><th>package</th><th>version</th><th>license</th><th>needs</th><th>description</th></tr>\n",
        escaped(&selection.set.target().describe()),
        svg(selection),
    );
    for part in &selection.parts {
        let recipe = selection.recipe(part);
        let name = escaped(recipe.pname.as_ref());
        // Only what a browser opens as a page, whatever a recipe says.
        let home = recipe.meta.homepage.as_deref().filter(|url| url.starts_with("http"));
        let name = match home {
            Some(url) => format!("<a href=\"{}\">{name}</a>", escaped(url)),
            None => name,
        };
        let needs: Vec<String> =
            part.needs.iter().map(|id| selection.set.get(*id).pname.to_string()).collect();
        let cells = [
            name,
            escaped(&recipe.version.to_string()),
            escaped(recipe.meta.license.as_deref().unwrap_or("")),
            escaped(&needs.join(", ")),
            escaped(recipe.meta.description.as_deref().unwrap_or("")),
        ];
        let _ = writeln!(out, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
    }
    out += "</table>\n</body>\n</html>\n";
    out
}
