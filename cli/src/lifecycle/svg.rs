//! A graph as a picture in SVG, which needs nothing but a browser.
//!
//! Colours follow the reader's preference for light or dark; a viewer that knows of none shows the light ones.

use super::graph::{Graph, Kind, Node};
use super::layout::{Arrow, Layout, Place, Point, Route, Shape, lay_out};
use crate::exit::Refused;
use crate::table::cut;
use anyhow::Result;
use std::fmt::Write;

/// What is laid out at most: more could not be read.
const PLACES: usize = 80;
const ARROWS: usize = 320;

/// Around the picture, and above it for the title.
const MARGIN: f64 = 28.0;
const TITLE: f64 = 40.0;
const SUBTITLE: f64 = 22.0;
/// The size of what stands at an arrow.
const ROWS: f64 = 11.5;
/// How much wider bold text is.
const BOLD: f64 = 1.15;
/// How many characters of a stage's name are shown; a browser shows all when the pointer rests on it.
const NAME: usize = 28;

const STYLE: &str = "
  .ground { fill: #ffffff; }
  text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #1c2128; }
  .title { font-size: 15px; font-weight: 600; }
  .subtitle { font-size: 13px; fill: #0b62d6; }
  .name { font-size: 14px; text-anchor: middle; dominant-baseline: central; }
  .stage { fill: #f3f5f8; stroke: #6b7480; stroke-width: 1.25; }
  .dot { fill: #3d4551; stroke: #3d4551; stroke-width: 1.25; }
  .ring { fill: none; stroke: #3d4551; stroke-width: 1.5; }
  .move { fill: none; stroke: #838d99; stroke-width: 1.5; }
  .head { fill: #838d99; }
  .unknown { stroke-dasharray: 5 4; }
  .been { stroke: #0b62d6; stroke-width: 2.25; }
  .been.dot, .been.head { fill: #0b62d6; stroke: none; }
  .now { fill: #0b62d6; stroke: #0b62d6; }
  .now-name { fill: #ffffff; font-weight: 600; }
  .rows { font-size: 11.5px; fill: #0b62d6; text-anchor: middle; dominant-baseline: central; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14171c; }
    text { fill: #e6eaf0; }
    .subtitle { fill: #77b0ff; }
    .stage { fill: #232932; stroke: #8e98a5; }
    .dot { fill: #b9c1cc; stroke: #b9c1cc; }
    .ring { stroke: #b9c1cc; }
    .move { stroke: #7d8895; }
    .head { fill: #7d8895; }
    .been { stroke: #77b0ff; }
    .been.dot, .been.head { fill: #77b0ff; }
    .now { fill: #77b0ff; stroke: #77b0ff; }
    .now-name { fill: #0c1420; }
    .rows { fill: #77b0ff; }
  }
";

/// The graph as SVG.
pub fn draw(graph: &Graph) -> Result<String> {
    if graph.nodes.len() > PLACES || graph.arrows.len() > ARROWS {
        return Err(Refused::error(format!(
            "{} places and {} moves are too many for a picture that can be read: at most {PLACES} and {ARROWS} are \
             drawn; `--format dot` has no such limit",
            graph.nodes.len(),
            graph.arrows.len()
        )));
    }
    let labels: Vec<Option<String>> = graph.arrows.iter().map(|arrow| arrow.label()).collect();
    let shapes: Vec<Shape> = graph.nodes.iter().map(shape).collect();
    let arrows: Vec<Arrow> = graph
        .arrows
        .iter()
        .zip(&labels)
        .map(|(arrow, label)| {
            let label = label.as_ref().map_or(0.0, |label| text_width(label, ROWS));
            Arrow { from: arrow.from, to: arrow.to, label }
        })
        .collect();
    let layout = lay_out(&shapes, &arrows, graph.start());
    let mut out = String::new();
    head(graph, &layout, &mut out);
    // What was passed lies above what was not, and nodes above all arrows.
    for been in [false, true] {
        let routes = graph.arrows.iter().zip(&layout.routes);
        for (arrow, route) in routes.filter(|(arrow, _)| arrow.rows.is_empty() != been) {
            self::arrow(route, arrow.allowed, been, &mut out);
        }
    }
    for (node, place) in graph.nodes.iter().zip(&layout.places) {
        self::node(node, place, &mut out);
    }
    for (label, route) in labels.iter().zip(&layout.routes) {
        label.iter().for_each(|label| self::label(label, route.label, &mut out));
    }
    out.push_str("</g>\n</svg>\n");
    Ok(out)
}

/// What stands before the drawing: the size, the styles, what it is, and for those who cannot see it what it shows.
fn head(graph: &Graph, layout: &Layout, out: &mut String) {
    let mut top = MARGIN + TITLE;
    let texts = [Some(&graph.title), graph.subtitle.as_ref()];
    let shown: Vec<String> = texts.into_iter().flatten().map(|text| cut(text, 100)).collect();
    top += if shown.len() > 1 { SUBTITLE } else { 0.0 };
    let broadest = shown.iter().map(|text| text_width(text, 15.0) * BOLD).fold(0.0, f64::max);
    let (width, height) = (layout.width.max(broadest) + 2.0 * MARGIN, layout.height + top + MARGIN);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escaped(&graph.title));
    let _ = writeln!(out, "<desc>{}</desc>", escaped(&description(graph)));
    let _ = writeln!(out, "<style>{STYLE}</style>");
    let _ = writeln!(out, "<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"10\"/>");
    for ((text, class), y) in shown.iter().zip(["title", "subtitle"]).zip([MARGIN + 6.0, MARGIN + 28.0]) {
        let _ = writeln!(out, "<text class=\"{class}\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", escaped(text));
    }
    let _ = writeln!(out, "<g transform=\"translate({MARGIN} {top})\">");
}

/// The moves in words.
fn description(graph: &Graph) -> String {
    let name = |at: usize| match graph.nodes.get(at) {
        Some(node) if node.kind == Kind::Stage => node.name.as_str(),
        _ => "no stage",
    };
    let moves = graph.arrows.iter().map(|arrow| format!("{} to {}", name(arrow.from), name(arrow.to)));
    let moves = moves.collect::<Vec<_>>().join("; ");
    graph.subtitle.as_ref().map_or_else(|| moves.clone(), |subtitle| format!("{subtitle}. {moves}"))
}

fn shape(node: &Node) -> Shape {
    match node.kind {
        Kind::Stage => {
            let width = (text_width(&cut(&node.name, NAME), 14.0) + 30.0).max(76.0);
            Shape { width, small: false }
        }
        Kind::Start | Kind::End => Shape { width: 20.0, small: true },
    }
}

fn node(node: &Node, place: &Place, out: &mut String) {
    let Place { x, y, width, height } = *place;
    let been = if node.been { " been" } else { "" };
    let title = |text: &str| format!("<title>{}</title>", escaped(text));
    match node.kind {
        Kind::Start => {
            let title = title("no stage yet");
            let _ = writeln!(
                out,
                "<circle class=\"dot{been}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\">{title}</circle>"
            );
        }
        Kind::End => {
            let title = title("no stage any more");
            let _ = writeln!(out, "<circle class=\"ring{been}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"10\"/>");
            let _ = writeln!(
                out,
                "<circle class=\"dot{been}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5.5\">{title}</circle>"
            );
        }
        Kind::Stage => {
            let unknown = if node.known { "" } else { " unknown" };
            let (now, name) = if node.now { (" now", "name now-name") } else { ("", "name") };
            let (left, top) = (x - width / 2.0, y - height / 2.0);
            let _ = writeln!(
                out,
                "<rect class=\"stage{unknown}{been}{now}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                 height=\"{height:.1}\" rx=\"9\">{}</rect>",
                title(&node.name)
            );
            let text = escaped(&cut(&node.name, NAME));
            let _ = writeln!(out, "<text class=\"{name}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
        }
    }
}

/// The rows that made a move, on the arrow, which is interrupted there.
fn label(label: &str, (x, y): Point, out: &mut String) {
    let width = text_width(label, ROWS) + 6.0;
    let (left, top, height) = (x - width / 2.0, y - ROWS / 2.0, ROWS);
    let _ = writeln!(
        out,
        "<rect class=\"ground\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height}\"/>"
    );
    let _ = writeln!(out, "<text class=\"rows\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(label));
}

/// How long the head of an arrow is, and half as wide.
const HEAD: f64 = 9.0;
const HALF: f64 = 4.5;

fn arrow(route: &Route, allowed: bool, been: bool, out: &mut String) {
    let Some((&(from, _), &(before, tip))) = route.curves.first().zip(route.curves.last()) else { return };
    let forth = if tip.0 > before.0 { 1.0 } else { -1.0 };
    let mut way = format!("M{:.1} {:.1}", from.0, from.1);
    for (at, (from, to)) in route.curves.iter().enumerate() {
        if at > 0 {
            let _ = write!(way, "L{:.1} {:.1}", from.0, from.1);
        }
        // The line ends within the head, which would else be blunt.
        let last = at + 1 == route.curves.len();
        let to = if last { (to.0 - forth * HEAD * 0.7, to.1) } else { *to };
        curve(*from, to, &mut way);
    }
    let classes = [if been { " been" } else { "" }, if allowed { "" } else { " unknown" }].concat();
    let _ = writeln!(out, "<path class=\"move{classes}\" d=\"{way}\"/>");
    let back = tip.0 - forth * HEAD;
    let been = if been { " been" } else { "" };
    let _ = writeln!(
        out,
        "<path class=\"head{been}\" d=\"M{:.1} {:.1}L{back:.1} {:.1}L{back:.1} {:.1}Z\"/>",
        tip.0,
        tip.1,
        tip.1 - HALF,
        tip.1 + HALF
    );
}

/// A curve that is level at both ends.
fn curve(from: Point, to: Point, way: &mut String) {
    let middle = (from.0 + to.0) / 2.0;
    let _ = write!(way, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1);
}

/// About how wide text is in a common typeface: no font is at hand.
fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.32,
        'f' | 'r' | 't' | ' ' | '-' | '(' | ')' | '/' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.92,
        'A'..='Z' | '_' => 0.7,
        c if c.is_ascii() => 0.59,
        '\u{1100}'.. => 1.05,
        _ => 0.66,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// Text as it stands in XML.
fn escaped(text: &str) -> String {
    let text = crate::table::printable(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
