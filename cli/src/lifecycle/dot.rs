//! A graph in the DOT language of Graphviz (graphviz.org/doc/info/lang.html).

use super::graph::{Arrow, Graph, Kind, Node};
use crate::table::printable;

/// The graph as DOT.
pub fn draw(graph: &Graph) -> String {
    let title = match &graph.subtitle {
        Some(subtitle) => format!("{}\\n{}", escaped(&graph.title), escaped(subtitle)),
        None => escaped(&graph.title),
    };
    let mut lines = vec![
        "digraph lifecycle {".to_owned(),
        format!("  graph [rankdir=LR, label=\"{title}\", labelloc=t, fontname=\"sans-serif\"];"),
        "  node [shape=box, style=rounded, fontname=\"sans-serif\"];".to_owned(),
        "  edge [fontname=\"sans-serif\", fontsize=10];".to_owned(),
    ];
    lines.extend(graph.nodes.iter().enumerate().map(|(at, node)| place(at, node)));
    lines.extend(graph.arrows.iter().map(arrow));
    lines.push("}\n".to_owned());
    lines.join("\n")
}

fn place(at: usize, node: &Node) -> String {
    let mut attributes = match node.kind {
        Kind::Start => "label=\"\", shape=circle, style=filled, fillcolor=black, width=0.2".to_owned(),
        Kind::End => "label=\"\", shape=doublecircle, style=filled, fillcolor=black, width=0.15".to_owned(),
        Kind::Stage => format!("label=\"{}\"", escaped(&node.name)),
    };
    let mut style = vec!["rounded"];
    if !node.known && node.kind == Kind::Stage {
        style.push("dashed");
    }
    if node.now {
        style.push("filled");
        attributes.push_str(", fillcolor=\"#0b62d6\", fontcolor=white");
    }
    if node.been {
        attributes.push_str(", color=\"#0b62d6\", penwidth=2");
    }
    if node.kind == Kind::Stage && style.len() > 1 {
        attributes.push_str(&format!(", style=\"{}\"", style.join(",")));
    }
    format!("  n{at} [{attributes}];")
}

fn arrow(arrow: &Arrow) -> String {
    let mut attributes = Vec::new();
    if !arrow.allowed {
        attributes.push("style=dashed".to_owned());
    }
    if let Some(label) = arrow.label() {
        attributes.push(format!("color=\"#0b62d6\", fontcolor=\"#0b62d6\", penwidth=2, label=\"{label}\""));
    }
    let attributes =
        if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
    format!("  n{} -> n{}{attributes};", arrow.from, arrow.to)
}

/// Text between quotes, in which a backslash would begin an escape of labels.
fn escaped(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "\\\"")
}
