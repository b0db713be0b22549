//! `dot` and `svg`: the graph of what needs what.
//!
//! Knows how to lay out a graph in layers. Must never know how it is shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Part, Selection};
use crate::set::RecipeId;

const HEIGHT: usize = 26;
const ROW: usize = 38;
const GAP: usize = 70;
const MARGIN: usize = 12;
/// A letter of the font, about.
const LETTER: usize = 8;

/// For Graphviz; what was named is drawn bold.
pub fn dot(selection: &Selection<'_>) -> String {
    let name = |id: RecipeId| format!("\"{}\"", selection.set.label(id));
    let mut out = String::from("digraph packages {\n    rankdir=LR;\n    node [shape=box];\n");
    for part in &selection.parts {
        let style = if part.named { " [style=bold]" } else { "" };
        let _ = writeln!(out, "    {}{style};", name(part.id));
    }
    for part in &selection.parts {
        for need in &part.needs {
            let _ = writeln!(out, "    {} -> {};", name(part.id), name(*need));
        }
    }
    out += "}\n";
    out
}

/// The same as a picture: layers from left to right, each package left of
/// what it needs as far as there is no circle.
pub fn svg(selection: &Selection<'_>) -> String {
    let layers = layers(&selection.parts);
    let label = |at: usize| selection.set.label(selection.parts[at].id);
    let mut boxes: BTreeMap<usize, (usize, usize, usize)> = BTreeMap::new();
    let mut x = MARGIN;
    for layer in &layers {
        let wide = |at: &usize| label(*at).chars().count() * LETTER + 16;
        let width = layer.iter().map(wide).max().unwrap_or(0);
        for (row, at) in layer.iter().enumerate() {
            boxes.insert(*at, (x, MARGIN + row * ROW, width));
        }
        x += width + GAP;
    }
    let rows = layers.iter().map(Vec::len).max().unwrap_or(0);
    let (width, height) = ((x + MARGIN).saturating_sub(GAP), 2 * MARGIN + rows * ROW);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"monospace\" font-size=\"13\">\n"
    );
    let places = places(&selection.parts);
    for (at, part) in selection.parts.iter().enumerate() {
        let (left, top, wide) = boxes[&at];
        let (x1, y1) = (left + wide, top + HEIGHT / 2);
        for need in part.needs.iter().filter_map(|id| places.get(id)) {
            let (x2, y2, _) = boxes[need];
            let (y2, middle) = (y2 + HEIGHT / 2, x1.midpoint(x2));
            let _ = writeln!(
                out,
                "<path d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#999\"/>"
            );
        }
    }
    for (at, part) in selection.parts.iter().enumerate() {
        let (left, top, wide) = boxes[&at];
        let stroke = if part.named { 2 } else { 1 };
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{HEIGHT}\" rx=\"4\" fill=\"#fff\" \
             stroke=\"#333\" stroke-width=\"{stroke}\"/>"
        );
        let (text, baseline) = (escaped(&label(at)), top + 18);
        let _ = writeln!(out, "<text x=\"{}\" y=\"{baseline}\">{text}</text>", left + 8);
    }
    out += "</svg>\n";
    out
}

/// For the text of an element or the value of an attribute.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn places(parts: &[Part]) -> BTreeMap<RecipeId, usize> {
    parts.iter().enumerate().map(|(at, part)| (part.id, at)).collect()
}

/// The parts in layers: each one behind those that need it.
fn layers(parts: &[Part]) -> Vec<Vec<usize>> {
    let places = &places(parts);
    let needs = |at: usize| parts[at].needs.iter().filter_map(move |id| places.get(id).copied());
    let order = order(parts, &needs);
    let mut rank = vec![0; parts.len()];
    order.iter().enumerate().for_each(|(place, at)| rank[*at] = place);
    let mut depth = vec![0; parts.len()];
    // (sum, number) of the rows of those that need it.
    let mut above = vec![(0usize, 0usize); parts.len()];
    for &at in &order {
        for need in needs(at).filter(|need| rank[*need] > rank[at]) {
            depth[need] = depth[need].max(depth[at] + 1);
        }
    }
    let count = depth.iter().max().map_or(0, |deepest| deepest + 1);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); count];
    (0..parts.len()).for_each(|at| layers[depth[at]].push(at));
    for layer in &mut layers {
        // Names decide where the middle of what is before does not.
        layer.sort_by_key(|at| (above[*at].0 * 1000 / above[*at].1.max(1), *at));
        for (row, at) in layer.iter().enumerate() {
            for need in needs(*at) {
                above[need] = (above[need].0 + row, above[need].1 + 1);
            }
        }
    }
    layers
}

/// Each part before what it needs; where there is a circle, before all of it
/// but one.
fn order<I: Iterator<Item = usize>>(parts: &[Part], needs: &impl Fn(usize) -> I) -> Vec<usize> {
    let mut seen = vec![false; parts.len()];
    let mut finished = Vec::new();
    let needed: Vec<bool> = {
        let mut needed = vec![false; parts.len()];
        (0..parts.len()).flat_map(needs).for_each(|at| needed[at] = true);
        needed
    };
    let tops = (0..parts.len()).filter(|at| !needed[*at]).chain(0..parts.len());
    for top in tops {
        // A long chain must not go down the stack.
        let mut open: Vec<(usize, I)> = Vec::new();
        let mut next = Some(top);
        loop {
            if let Some(at) = next.take().filter(|at| !seen[*at]) {
                seen[at] = true;
                open.push((at, needs(at)));
            }
            let Some((at, rest)) = open.last_mut() else { break };
            next = rest.find(|need| !seen[*need]);
            if next.is_none() {
                finished.push(*at);
                open.pop();
            }
        }
    }
    finished.reverse();
    finished
}
