//! `[wrap]`: makeWrapper's operations, in the order of the table.
//!
//! Knows their arguments. Must never know what is wrapped.

use crate::codes;
use crate::diag::Finding;
use crate::node::{Entry, Node, Table};
use crate::recipe::{Wrap, WrapOp};

use super::{boolean, items, texts, words};

pub(super) fn wrap(table: &Table, findings: &mut Vec<Finding>) -> Wrap {
    let empty = Table::default();
    let wrap = table.table("wrap").unwrap_or(&empty);
    let mut ops = Vec::new();
    for entry in &wrap.entries {
        operation(entry, &mut ops, findings);
    }
    Wrap {
        enable: boolean(wrap, "enable").unwrap_or(true),
        permit_user_site: boolean(wrap, "permit-user-site").unwrap_or(false),
        ops,
    }
}

fn operation(entry: &Entry, ops: &mut Vec<WrapOp>, findings: &mut Vec<Finding>) {
    let node = &entry.node;
    let inner = node.as_table().map_or(&[][..], |t| &t.entries);
    match entry.key.as_str() {
        key @ ("set" | "set-default") => {
            for one in inner {
                let name = words::variable(&one.key, one.key_place.clone(), findings);
                if let (Some(name), Some(value)) = (name, one.node.as_str()) {
                    let value = value.to_owned();
                    ops.push(if key == "set" {
                        WrapOp::Set(name, value)
                    } else {
                        WrapOp::SetDefault(name, value)
                    });
                }
            }
        }
        "unset" => {
            for item in items(Some(node)) {
                let name = words::variable(item.as_str().unwrap_or(""), item.place.clone(), findings);
                ops.extend(name.map(WrapOp::Unset));
            }
        }
        key @ ("prefix" | "suffix") => {
            for one in inner {
                let Some(name) = words::variable(&one.key, one.key_place.clone(), findings) else { continue };
                let Some((sep, values)) = affix(&one.node, findings) else { continue };
                ops.push(if key == "prefix" {
                    WrapOp::Prefix { name, sep, values }
                } else {
                    WrapOp::Suffix { name, sep, values }
                });
            }
        }
        "chdir" => ops.extend(node.as_str().map(|s| WrapOp::Chdir(s.to_owned()))),
        "run" => match node.as_str() {
            Some(line) => ops.push(WrapOp::Run(line.to_owned())),
            None => ops.extend(texts(Some(node)).into_iter().map(WrapOp::Run)),
        },
        "add-flags" => ops.push(WrapOp::AddFlags(texts(Some(node)))),
        "append-flags" => ops.push(WrapOp::AppendFlags(texts(Some(node)))),
        _ => {}
    }
}

/// `{ sep, values }`, or only the value or values, between which `:` stands.
fn affix(node: &Node, findings: &mut Vec<Finding>) -> Option<(String, Vec<String>)> {
    if let Some(value) = node.as_str() {
        return Some((":".to_owned(), vec![value.to_owned()]));
    }
    if node.as_array().is_some() {
        return Some((":".to_owned(), texts(Some(node))));
    }
    let table = node.as_table()?;
    let sep = table.str("sep").unwrap_or(":").to_owned();
    let values = texts(table.get("values"));
    if values.is_empty() {
        findings.push(
            Finding::error(codes::BAD_WRAP, node.place.clone(), "there are no values to put before or after")
                .hint("write e.g. `{ sep = \":\", values = [\"/opt/tools/bin\"] }`"),
        );
        return None;
    }
    Some((sep, values))
}
