use super::*;

fn fault(line: &str) -> String {
    Decision::parse(line.as_bytes()).unwrap_err()
}

#[test]
fn a_line_has_the_shape_that_is_written_down() {
    let full = r#"{"id":"x","action":"A","entity":"e","tier":"B","mode":"live","planner":"p",
        "judge":{"by":"j","score":0.87},
        "evidence":[12,{"uri":"u","blake3":"0101010101010101010101010101010101010101010101010101010101010101"}],
        "ops":[{"put":{"key":"k","value":{"price":19.90}}},{"delete":{"key":"d"}},{"add":{"key":"n","delta":-2}},
        {"transition":{"entity":"e","from":null,"to":"t"}}],
        "effects":[{"adapter":"shop","do":{"a":1},"undo":null},{"adapter":"mail","do":1},
        {"adapter":"ads","do":1,"undo":2,"undo_until":"2026-12-01"},{"adapter":"ads","do":1,"compensate":3}],
        "reason":"r","context":{"c":1}}"#;
    let decision = Decision::parse(full.replace('\n', "").as_bytes()).unwrap();
    let draft = decision.draft(IntentId([1; 16]), "executor-1", 5);
    assert_eq!((draft.tier, draft.mode), (Tier::B, Mode::Live));
    assert_eq!((draft.evidence.len(), draft.ops.len(), draft.effects.len()), (2, 4, 4));
    assert_eq!(draft.actors.unwrap().judge.unwrap().score, 870_000);
    assert_eq!(draft.subject.unwrap().lifecycle, Some(LifecycleMove { from: "", to: "t" }));
    let undos: Vec<_> = draft.effects.iter().map(|effect| effect.undo.request().is_some()).collect();
    assert_eq!(undos, [false, false, true, true]);
    let shortest = Decision::parse(br#"{"action":"A","ops":[{"delete":{"key":"k"}}]}"#).unwrap();
    assert_eq!((shortest.mode, shortest.tier, shortest.id), (Mode::DryRun, Tier::Unstated, None));
}

#[test]
fn every_other_shape_is_named() {
    assert!(fault("{").contains("EOF"));
    assert!(fault("[]").contains("column"));
    assert!(fault(r#"{"ops":[{"delete":{"key":"k"}}]}"#).contains("missing field `action`"));
    assert!(fault(r#"{"action":"A"}"#).contains("neither ops nor effects"));
    assert!(fault(r#"{"action":"A","colour":1}"#).contains("unknown field `colour`"));
    let with = |rest: &str| fault(&format!(r#"{{"action":"A","ops":[{{"delete":{{"key":"k"}}}}],{rest}}}"#));
    assert!(with(r#""tier":"D""#).contains("tier is"));
    assert!(with(r#""mode":"maybe""#).contains("mode is"));
    assert!(with(r#""judge":{"by":"j","score":1.1}"#).contains("score"));
    assert!(with(r#""judge":{"by":"j","score":0.1234567}"#).contains("score"));
    assert!(with(r#""evidence":[-1]"#).contains("evidence is"));
    assert!(with(r#""evidence":[{"uri":"u","blake3":"00"}]"#).contains("evidence is"));
    assert!(with(r#""id":"""#).contains("id is empty"));
    assert!(with(r#""action":"B""#).contains("duplicate field"));
    let op = |op: &str| fault(&format!(r#"{{"action":"A","ops":[{op}]}}"#));
    assert!(op(r#"{"delete":{"key":""}}"#).contains("a key is empty"));
    assert!(op(r#"{"put":{"key":"k"}}"#).contains("missing field `value`"));
    assert!(op(r#"{"put":{"key":"k","value":1,"ttl":2}}"#).contains("unknown field `ttl`"));
    assert!(op(r#"{"add":{"key":"k","delta":1.5}}"#).contains("i64"));
    assert!(op(r#"{"erase":{"key":"k"}}"#).contains("unknown variant `erase`"));
}

#[test]
fn objects_are_objects_and_not_lists_of_fields() {
    for line in [
        r#"["x","A",null,null,null,null,null,[],[{"delete":{"key":"k"}}],[],null,null]"#,
        r#"{"action":"A","ops":[{"put":["x",2]}]}"#,
        r#"{"action":"A","ops":[{"delete":["x"]}]}"#,
        r#"{"action":"A","ops":[{"add":["x",2]}]}"#,
        r#"{"action":"A","ops":[["put",{"key":"x","value":2}]]}"#,
        r#"{"action":"A","effects":[["shop",1,null]]}"#,
        r#"{"action":"A","judge":["j",0.5],"ops":[{"delete":{"key":"k"}}]}"#,
    ] {
        let said = fault(line);
        assert!(said.contains("an object") || said.contains("expected value"), "{line}: {said}");
        assert!(said.contains("column"), "{line}: {said}");
    }
    let with = |rest: &str| fault(&format!(r#"{{"action":"A","ops":[{{"delete":{{"key":"k"}}}}],{rest}}}"#));
    let hash = "01".repeat(32);
    assert!(with(&format!(r#""evidence":[["u","{hash}"]]"#)).contains("evidence is"));
    assert!(with(r#""context":[]"#).contains("context is an object"));
    assert!(with(r#""context":{"$bytes":"00"}"#).contains("context is an object"));
}

#[test]
fn a_key_stands_once_in_an_object_at_any_depth() {
    for line in [
        r#"{"action":"A","ops":[{"put":{"key":"k","value":{"a":1,"a":2}}}]}"#,
        r#"{"action":"A","ops":[{"put":{"key":"k","value":[{"b":{"a":1,"\u0061":2}}]}}]}"#,
        r#"{"action":"A","ops":[{"delete":{"key":"k"}}],"context":{"a":1,"a":1}}"#,
        r#"{"action":"A","ops":[{"delete":{"key":"k"}}],"context":{"b":[[{"a":1,"a":2}]]}}"#,
        r#"{"action":"A","effects":[{"adapter":"shop","do":{"a":1,"a":2}}]}"#,
        r#"{"action":"A","effects":[{"adapter":"shop","do":1,"undo":[{"a":1,"a":2}]}]}"#,
    ] {
        let said = fault(line);
        assert!(said.contains("key \"a\" stands twice in an object, column "), "{line}: {said}");
    }
    // The key under which the JSON reader hands numbers on is no way to write one.
    let disguised =
        r#"{"action":"A","ops":[{"put":{"key":"k","value":{"$serde_json::private::Number":"1"}}}]}"#;
    assert!(fault(disguised).contains("reserved"), "{}", fault(disguised));
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = format!(r#"{{"action":"A","context":{{"a":{}"#, "[".repeat(1_000_000));
    assert!(fault(&deep).contains("recursion limit"));
    let deep = format!(
        r#"{{"action":"A","ops":[{{"put":{{"key":"k","value":{}1{}}}}}]}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    let decision = Decision::parse(deep.as_bytes()).unwrap();
    assert_eq!(decision.ops.len(), 1);
}

#[test]
fn ids_are_bytes_or_hashed() {
    let hex = "0123456789abcdef0123456789abcdef";
    let uuid = "01234567-89ab-cdef-0123-456789ABCDEF";
    assert_eq!(read_id(hex), read_id(uuid));
    assert_eq!(read_id(hex).unwrap().to_string(), hex);
    assert_ne!(read_id("order-1"), read_id("order-2"));
    assert_eq!(read_id("order-1"), read_id("order-1"));
    assert_ne!(read_id(&format!("{hex}0")), read_id(hex));
    let id = random_id(1_795_491_963_000_000).unwrap().to_string();
    assert_eq!((&id[12..13], id.len()), ("7", 32));
}

#[test]
fn a_transition_says_where_to_and_perhaps_from_where() {
    let read = |entity: &str, ops: &str| {
        let line = format!(r#"{{"action":"A",{entity}"ops":[{ops}]}}"#);
        let decision = Decision::parse(line.as_bytes())?;
        let draft = decision.draft(IntentId([1; 16]), "executor-1", 5);
        let lifecycle = draft.subject.and_then(|subject| subject.lifecycle);
        Ok::<_, String>((draft.ops.len(), lifecycle.map(|moved| format!("{} {}", moved.from, moved.to))))
    };
    let about = r#""entity":"e","#;
    for to in ["null", r#""""#, r#""t""#] {
        let op = format!(r#"{{"transition":{{"entity":"e","to":{to}}}}}"#);
        assert_eq!(read("", &op), Ok((1, None)));
        assert_eq!(read(about, &op), Ok((1, None)));
    }
    let from = r#"{"transition":{"entity":"e","from":"s","to":"t"}}"#;
    let other = r#"{"transition":{"entity":"f","to":"t"}}"#;
    let again = r#"{"transition":{"entity":"e","to":"u"}}"#;
    assert_eq!(read(about, from), Ok((1, Some("s t".into()))));
    assert_eq!(read(about, &format!("{other},{from}")), Ok((2, Some("s t".into()))));
    assert_eq!(read(about, &format!("{again},{other}")), Ok((2, None)));
    for (entity, ops, told) in [
        ("", from, "\"entity\" must be \"e\""),
        (r#""entity":"f","#, from, "\"entity\" must be \"e\""),
        (about, &format!("{from},{again}"), "moves more than once"),
        (about, &format!("{from},{from}"), "moves more than once"),
        (about, &format!("{from},{}", from.replace(r#""e""#, r#""f""#)), "nowhere else"),
        (about, &from.replace(r#""s""#, r#""t""#), "no move"),
        ("", r#"{"transition":{"entity":"e"}}"#, "missing field `to`"),
        ("", r#"{"transition":{"entity":"","to":"t"}}"#, "entity of a transition is empty"),
        ("", r#"{"transition":{"to":"t"}}"#, "missing field `entity`"),
        ("", r#"{"transition":{"entity":"e","to":1}}"#, "a stage, which is a text, or null"),
        ("", r#"{"transition":{"entity":"e","to":"t","only_if":{"stage":"s"}}}"#, "unknown field `only_if`"),
        ("", r#"{"transition":["e",null,"t"]}"#, "an object"),
    ] {
        let said = read(entity, ops).unwrap_err();
        assert!(said.contains(told), "{entity} {ops}: {said}");
    }
}

#[test]
fn an_effect_is_undone_in_one_way() {
    let effect = |rest: &str| {
        let line = format!(r#"{{"action":"A","effects":[{{"adapter":"shop","do":1{rest}}}]}}"#);
        Decision::parse(line.as_bytes())
    };
    for rest in ["", r#","undo":null"#, r#","undo":null,"compensate":1"#, r#","undo":1,"compensate":null"#] {
        assert!(effect(rest).is_ok(), "{rest}");
    }
    let time = r#""undo_until":"2026-12-01T00:00:00Z""#;
    for (rest, told) in [
        (format!(",{time}"), "undo_until and no undo"),
        (format!(r#","undo":null,{time}"#), "undo_until and no undo"),
        (r#","undo":1,"undo_until":"soon""#.into(), "undo_until of an effect on shop: \"soon\" is no time"),
        (r#","undo":1,"undo_until":7"#.into(), "expected a string"),
        (r#","undo":1,"compensate":1"#.into(), "compensate and an undo"),
        (format!(r#","compensate":1,{time}"#), "compensate and an undo"),
        (r#","undo":1,"redo":1"#.into(), "unknown field `redo`"),
    ] {
        let said = effect(&rest).unwrap_err();
        assert!(said.contains(told), "{rest}: {said}");
    }
}
