//! Entities that go from stage to stage, and pictures of the stages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod policy;
mod shop;

use serde_json::{Value, json};
use shop::{Run, Shop};

const MOVES: [(&str, &str); 6] = [
    ("", "testing"),
    ("testing", "winner"),
    ("testing", "paused"),
    ("paused", "testing"),
    ("winner", "paused"),
    ("paused", ""),
];

#[track_caller]
fn succeeds(shop: &Shop, args: &[&str]) -> Run {
    let run = shop.run(args);
    assert_eq!(run.status, 0, "{args:?}: {}{}", run.out, run.err);
    run
}

fn to(mode: &str, from: &str, stage: &str) -> String {
    format!(
        r#"{{"action":"MOVE","mode":"{mode}","entity":"sku-1","ops":[{{"transition":{{"entity":"sku-1",{from}"to":"{stage}"}}}}]}}"#
    )
}

/// Row 4 sets the policy; row 5 moves, row 6 may not, row 7 tries, row 8 moves, row 9 takes that back.
fn moved() -> Shop {
    let shop = Shop::open();
    policy::set(&shop, policy::with_moves(&MOVES));
    let lines = [
        to("live", r#""from":"","#, "testing"),
        to("live", r#""from":"winner","#, "winner").replace("winner\"}}", "gone\"}}"),
        to("dry-run", "", "paused"),
        to("live", r#""from":"paused","#, "winner"),
    ];
    let landed = shop.append(&[], &lines.join("\n"));
    assert_eq!(landed.status, 0, "{}", landed.err);
    succeeds(&shop, &["rollback", "8", "--apply"]);
    shop
}

#[test]
fn each_step_is_told_with_what_came_of_it() {
    let shop = moved();
    let told = succeeds(&shop, &["lifecycle", "sku-1", "--json"]).json();
    assert_eq!(
        (&told["entity"], &told["stage"], &told["since"]),
        (&json!("sku-1"), &json!("testing"), &json!(9))
    );
    assert_eq!((&told["policy_row"], &told["next"]), (&json!(4), &json!(["paused", "winner"])));
    let path: Vec<Value> = told["path"].as_array().unwrap().clone();
    let step = |at: usize| {
        let fields = ["seq", "from", "to", "outcome", "author", "action"].map(|name| path[at][name].clone());
        Value::Array(fields.to_vec())
    };
    assert_eq!(step(0), json!([5, "", "testing", "applied", "executor-1", "MOVE"]));
    assert_eq!(step(1), json!([6, "testing", "gone", "review", "executor-1", "MOVE"]));
    assert_eq!(path[1]["reasons"], json!(["move-not-allowed"]));
    assert_eq!(step(2), json!([7, "testing", "paused", "dry-run", "executor-1", "MOVE"]));
    assert_eq!(step(3), json!([8, "testing", "winner", "applied", "executor-1", "MOVE"]));
    assert_eq!((&path[3]["seen_in"], &path[3]["taken_back_by"]), (&json!("paused"), &json!(9)));
    assert_eq!(step(4), json!([9, "winner", "testing", "applied", "operator-1", null]));
    assert_eq!((path.len(), &path[4]["kind"]), (5, &json!("rollback")));

    let people = succeeds(&shop, &["lifecycle", "sku-1"]).out;
    for words in [
        "sku-1 is in the stage testing, since row 9.",
        "move-not-allowed, seen in winner",
        "seen in paused, taken back by row 9",
        "Under the policy of row 4 it may move to paused, winner.",
    ] {
        assert!(people.contains(words), "{words}: {people}");
    }
    let lines: Vec<_> =
        people.lines().filter(|line| line.trim_start().starts_with(['5', '6', '7', '8', '9'])).collect();
    assert_eq!(lines.len(), 5, "{people}");
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn moves_of_one_row_are_steps_one_after_the_other() {
    let shop = Shop::open();
    policy::set(&shop, policy::with_moves(&MOVES));
    let op = |to: &str| format!(r#"{{"transition":{{"entity":"sku-1","to":{to}}}}}"#);
    let ops = [op("\"testing\""), op("\"paused\""), op("null")].join(",");
    let line = format!(r#"{{"action":"MOVE","mode":"live","ops":[{ops}]}}"#);
    assert_eq!(shop.append(&[], &line).json()["outcome"], "applied");
    let told = succeeds(&shop, &["lifecycle", "sku-1", "--json"]).json();
    let path: Vec<_> = told["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["seq"].clone(), step["to"].clone()))
        .collect();
    assert_eq!(path, [(json!(5), json!("testing")), (json!(5), json!("paused")), (json!(5), json!(""))]);
    assert_eq!((&told["stage"], &told["next"]), (&json!(""), &json!(["testing"])));
    let people = succeeds(&shop, &["lifecycle", "sku-1"]).out;
    assert!(people.contains("sku-1 is in no stage, since row 5."), "{people}");
}

#[test]
fn what_may_come_next_is_told_under_any_policy() {
    let shop = Shop::open();
    let next = |words: &str| {
        let people = succeeds(&shop, &["lifecycle", "sku-1"]).out;
        assert!(people.contains(words), "{words}: {people}");
    };
    shop.run(&["lifecycle", "sku-1"]).fails(1, &["no row has moved \"sku-1\""]);
    assert_eq!(shop.append(&[], &to("dry-run", "", "a")).status, 0);
    next("sku-1 has never been in a stage.");
    assert_eq!(shop.append(&[], &to("live", "", "a")).status, 0);
    next("The policy of row 0 has no lifecycle: the entity may move to any stage.");
    assert_eq!(succeeds(&shop, &["lifecycle", "sku-1", "--json"]).json()["next"], Value::Null);
    policy::set(&shop, policy::with_moves(&[("a", "b"), ("a", "")]));
    next("Under the policy of row 6 it may move to b, or leave its stages.");
    policy::set(&shop, policy::with_moves(&[("a", "")]));
    next("Under the policy of row 7 it may only leave its stages.");
    policy::set(&shop, policy::with_moves(&[("b", "a")]));
    next("The policy of row 8 allows no move from there.");
    policy::set(&shop, policy::with_moves(&[("", "b")]));
    next("The policy of row 9 does not know the stage that it is in, and allows no move from it.");
    // It is drawn all the same, and so is how it came to be where no policy would have it now.
    let drawn = succeeds(&shop, &["lifecycle", "--graph", "sku-1"]).out;
    assert!(drawn.contains("[style=dashed") && drawn.contains("sku-1: in a since row 5"), "{drawn}");
}

#[test]
fn a_graph_is_drawn_as_dot() {
    let shop = moved();
    let plain = succeeds(&shop, &["lifecycle", "--graph"]).out;
    assert!(plain.starts_with("digraph lifecycle {\n") && plain.ends_with("}\n"), "{plain}");
    assert_eq!(plain.matches(" -> ").count(), MOVES.len(), "{plain}");
    for name in ["testing", "winner", "paused"] {
        assert!(plain.contains(&format!("[label=\"{name}\"]")), "{name}: {plain}");
    }
    assert!(!plain.contains("row 5"));
    let marked = succeeds(&shop, &["lifecycle", "--graph", "sku-1"]).out;
    for words in [
        "label=\"row 5\"",
        "label=\"row 8\"",
        "label=\"row 9\"",
        "style=dashed",
        "sku-1: in testing since row 9",
    ] {
        assert!(marked.contains(words), "{words}: {marked}");
    }
    let told = succeeds(&shop, &["lifecycle", "--graph", "sku-1", "--json"]).json();
    assert_eq!(
        (&told["format"], &told["graph"], &told["policy_row"]),
        (&json!("dot"), &json!(marked), &json!(4))
    );
    assert_eq!(told["moves"].as_array().unwrap().len(), MOVES.len());
    assert_eq!(told["stages"], json!(["paused", "testing", "winner"]));
}

/// Asserts that tags are closed in the order they were opened, and that no text holds what belongs to XML.
#[track_caller]
fn is_well_formed(xml: &str) {
    let mut open = Vec::new();
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("no end: {piece}"));
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let entities = text
            .split('&')
            .skip(1)
            .all(|entity| ["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known)));
        assert!(entities && !text.contains('>'), "{text}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "{tag}"),
            (false, false) => open.push(name),
            (false, true) => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_graph_is_drawn_as_svg_for_light_and_dark() {
    let shop = moved();
    let svg =
        |args: &[&str]| succeeds(&shop, &[&["lifecycle", "--graph", "--format", "svg"], args].concat()).out;
    let plain = svg(&[]);
    is_well_formed(&plain);
    assert!(plain.starts_with("<svg xmlns=") && plain.contains("prefers-color-scheme: dark"), "{plain}");
    assert_eq!(plain.matches("class=\"stage\"").count(), 3, "{plain}");
    assert_eq!(plain.matches("class=\"head").count(), MOVES.len(), "{plain}");
    assert_eq!(svg(&[]), plain);
    let marked = svg(&["sku-1"]);
    is_well_formed(&marked);
    for words in [
        "class=\"stage been now\"",
        ">row 5<",
        ">row 8<",
        "sku-1: in testing since row 9",
        "move been unknown",
    ] {
        assert!(marked.contains(words), "{words}: {marked}");
    }
}

#[test]
fn names_of_stages_break_no_picture() {
    let shop = Shop::open();
    let long = "l".repeat(128);
    let hostile = [r#"<b>&"'"#, r"back\slash\n", "\u{202e}turned", long.as_str(), "ständig 在庫"];
    let moves: Vec<_> = hostile.iter().flat_map(|name| [("", *name), (*name, "")]).collect();
    policy::set(&shop, policy::with_moves(&moves));
    let svg = succeeds(&shop, &["lifecycle", "--graph", "--format", "svg"]).out;
    is_well_formed(&svg);
    assert!(svg.contains("&lt;b&gt;&amp;&quot;'") && !svg.contains('\u{202e}'), "{svg}");
    let dot = succeeds(&shop, &["lifecycle", "--graph"]).out;
    assert!(dot.contains(r#"label="<b>&\"'""#) && dot.contains(r#"label="back\\slash\\n""#), "{dot}");

    let names: Vec<String> = (0..81).map(|at| format!("s{at:02}")).collect();
    let moves: Vec<_> = names.iter().map(|name| ("", name.as_str())).collect();
    policy::set(&shop, policy::with_moves(&moves));
    shop.run(&["lifecycle", "--graph", "--format", "svg"])
        .fails(1, &["82 places", "at most 80", "--format dot"]);
    assert_eq!(succeeds(&shop, &["lifecycle", "--graph"]).out.matches(" -> ").count(), 81);
}

#[test]
fn without_a_lifecycle_there_is_nothing_to_draw() {
    let shop = Shop::open();
    for format in ["dot", "svg"] {
        shop.run(&["lifecycle", "--graph", "--format", format])
            .fails(1, &["policy of row 0 has no lifecycle", "any move goes"]);
    }
    shop.run(&["lifecycle", "--graph", "sku-1"]).fails(1, &["no row has moved \"sku-1\""]);
    for args in [
        &["lifecycle"][..],
        &["lifecycle", "a", "--format", "svg"],
        &["lifecycle", "--graph", "--format", "gif"],
    ] {
        assert_eq!(shop.run(args).status, 2, "{args:?}");
    }
}
