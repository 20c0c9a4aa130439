//! Properties of operations: every inverse restores the state exactly, and encodings say what they mean.
//!
//! Few keys and few values are drawn, so that operations meet each other and guards hold often enough. On failure the
//! least input found is printed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::ops::{
    Change, Guard, Op, decode_ops, decode_skeleton, encode_ops, encode_skeleton, skeleton_of,
};
use counterfoil_format::part::{Slot, commit_value};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_rules::apply::{Applied, apply};
use counterfoil_rules::state::{Leaf, MapState};
use counterfoil_tests::draft::{ChangeDraft, OpDraft};
use proptest::collection::vec;
use proptest::prelude::*;

const STAGES: [&str; 3] = ["testing", "winner", "retired"];

/// The values that are drawn, with the salt each always has.
fn values() -> Vec<([u8; 16], Vec<u8>)> {
    let decimal = Value::Decimal(Decimal { mantissa: -5, scale: 3 });
    let nested = Value::Map([("a".to_owned(), Value::List(vec![Value::Null, decimal]))].into());
    let values = [Value::Int(7), Value::Text("seven".into()), nested];
    values.iter().zip(1..).map(|(value, salt)| ([salt; 16], value.encode().unwrap())).collect()
}

fn change() -> impl Strategy<Value = ChangeDraft> {
    let delta = prop_oneof![
        8 => (-3i64..=3).prop_filter("an add of 0 does nothing", |delta| *delta != 0),
        1 => prop_oneof![Just(i64::MAX), Just(-i64::MAX), Just(i64::MIN), Just(i64::MAX - 1)],
    ];
    prop_oneof![
        3 => (0..values().len()).prop_map(|which| {
            let (salt, bytes) = values()[which].clone();
            ChangeDraft::Put(Some(salt), bytes)
        }),
        1 => (0..values().len()).prop_map(|which| {
            let (salt, bytes) = values()[which].clone();
            ChangeDraft::PutClosed(commit_value(&salt, &bytes))
        }),
        2 => Just(ChangeDraft::Delete),
        4 => delta.prop_map(ChangeDraft::Add),
        3 => prop_oneof![Just(""), Just(STAGES[0]), Just(STAGES[1]), Just(STAGES[2])]
            .prop_map(|stage| ChangeDraft::Transition(stage.to_owned())),
    ]
}

fn guard() -> impl Strategy<Value = Guard<'static>> {
    prop_oneof![
        12 => Just(Guard::None),
        1 => Just(Guard::Absent),
        1 => (0..values().len()).prop_map(|which| {
            let (salt, bytes) = &values()[which];
            Guard::Value(commit_value(salt, bytes))
        }),
        1 => (-2i64..=2).prop_map(Guard::Counter),
        1 => (0..STAGES.len()).prop_map(|which| Guard::Stage(STAGES[which])),
    ]
}

/// Operations on this many keys.
fn ops(keys: u8, most: usize) -> impl Strategy<Value = Vec<OpDraft>> {
    let op = (0..keys, guard(), change()).prop_map(|(key, guard, change)| {
        let kind = if matches!(change, ChangeDraft::Transition(_)) { "sku" } else { "key" };
        OpDraft { key: format!("{kind}/{key}"), guard, change }
    });
    vec(op, 1..=most)
}

fn borrowed(drafts: &[OpDraft]) -> Vec<Op<'_>> {
    drafts.iter().map(OpDraft::op).collect()
}

fn moved(state: &MapState, applied: Applied<'_>) -> MapState {
    let mut state = state.clone();
    applied.into_changes().for_each(|(key, leaf)| state.set(&key, leaf));
    state
}

/// The state after every batch that goes through.
fn grown(batches: &[Vec<OpDraft>]) -> MapState {
    batches.iter().fold(MapState::default(), |state, batch| {
        let ops = borrowed(batch);
        let Ok(applied) = apply(&state, &ops, true);
        applied.map_or(state.clone(), |applied| moved(&state, applied))
    })
}

fn encoded(ops: &[Op<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_ops(ops, &mut bytes);
    bytes
}

/// Applies a batch, then its inverse as a rollback part would carry it, then the inverse of that.
fn there_and_back(before: &MapState, batch: &[OpDraft]) -> Result<bool, TestCaseError> {
    let ops = borrowed(batch);
    let Ok(applied) = apply(before, &ops, true);
    let Ok(applied) = applied else { return Ok(false) };
    prop_assert_eq!(applied.steps.len(), ops.len());
    let inverse = encoded(&applied.inverse());
    let after = moved(before, applied);

    let undo = decode_ops(&inverse).unwrap();
    prop_assert_eq!(undo.iter().try_for_each(Op::check), Ok(()));
    let Ok(undone) = apply(&after, &undo, true);
    let undone = undone.map_err(|reason| TestCaseError::fail(format!("the inverse fails: {reason}")))?;
    let redo = encoded(&undone.inverse());
    let restored = moved(&after, undone);
    prop_assert_eq!(&restored, before);
    prop_assert_eq!(restored.digest(), before.digest());

    let redo = decode_ops(&redo).unwrap();
    let Ok(redone) = apply(&restored, &redo, true);
    let redone = redone.map_err(|reason| TestCaseError::fail(format!("the redo fails: {reason}")))?;
    prop_assert_eq!(moved(&restored, redone), after);
    Ok(true)
}

/// The same state with nothing but commitments.
fn closed(state: &MapState) -> MapState {
    let mut closed = MapState::default();
    for (key, leaf) in state.iter() {
        let mut leaf = leaf.clone();
        if let Leaf::Value(value) = &mut leaf {
            value.open = None;
        }
        closed.set(key, Some(leaf));
    }
    closed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_inverse_restores_the_state(history in vec(ops(4, 4), 0..12), batch in ops(4, 6)) {
        there_and_back(&grown(&history), &batch)?;
    }

    #[test]
    fn many_keys_at_once_are_restored(history in vec(ops(40, 20), 0..4), batch in ops(40, 80)) {
        // Guards fail most long batches, so each is also tried without them.
        let free: Vec<OpDraft> = batch.iter().map(|op| OpDraft { guard: Guard::None, ..op.clone() }).collect();
        let before = grown(&history);
        there_and_back(&before, &batch)?;
        there_and_back(&before, &free)?;
    }

    #[test]
    fn history_is_undone_row_by_row(rows in vec(ops(4, 4), 0..16)) {
        let mut states = vec![MapState::default()];
        let mut inverses = Vec::new();
        for row in &rows {
            let before = states.last().unwrap().clone();
            let ops = borrowed(row);
            let Ok(applied) = apply(&before, &ops, true);
            let Ok(applied) = applied else { continue };
            inverses.push(encoded(&applied.inverse()));
            states.push(moved(&before, applied));
        }
        let mut now = states.pop().unwrap();
        for (inverse, before) in inverses.iter().zip(&states).rev() {
            let undo = decode_ops(inverse).unwrap();
            let Ok(undone) = apply(&now, &undo, true);
            now = moved(&now, undone.unwrap());
            prop_assert_eq!(&now, before);
        }
    }

    #[test]
    fn adds_commute_with_an_undo(first in -9i64..=9, others in vec(-9i64..=9, 0..6)) {
        let add = |delta: i64| OpDraft { key: "stock".into(), guard: Guard::None, change: ChangeDraft::Add(delta) };
        let deltas: Vec<i64> = others.into_iter().filter(|delta| *delta != 0).collect();
        let alone = grown(&deltas.iter().map(|delta| vec![add(*delta)]).collect::<Vec<_>>());
        let undone = std::iter::once(first).chain(deltas.clone()).chain([-first]).filter(|delta| *delta != 0);
        let undone = grown(&undone.map(|delta| vec![add(delta)]).collect::<Vec<_>>());
        prop_assert_eq!(alone, undone);
    }

    #[test]
    fn commitments_alone_give_the_same_verdicts(history in vec(ops(4, 4), 0..12), batch in ops(4, 6)) {
        let state = grown(&history);
        let bare = closed(&state);
        prop_assert_eq!(state.digest(), bare.digest());
        let ops = borrowed(&batch);
        let (Ok(full), Ok(without)) = (apply(&state, &ops, true), apply(&bare, &ops, false));
        match (full, without) {
            (Ok(full), Ok(without)) => {
                let skeleton = |applied: &Applied<'_>| {
                    let mut bytes = Vec::new();
                    encode_skeleton(&applied.inverse(), &mut bytes);
                    bytes
                };
                prop_assert_eq!(skeleton(&full), skeleton(&without));
                prop_assert_eq!(moved(&state, full).digest(), moved(&bare, without).digest());
            }
            (full, without) => prop_assert_eq!(full.err(), without.err()),
        }
    }

    #[test]
    fn ops_survive_the_trip_and_have_one_skeleton(batch in ops(6, 12)) {
        let ops = borrowed(&batch);
        let bytes = encoded(&ops);
        prop_assert_eq!(&decode_ops(&bytes).unwrap(), &ops);
        let (mut built, mut cut) = (Vec::new(), Vec::new());
        encode_skeleton(&ops, &mut built);
        skeleton_of(&bytes, &mut cut).unwrap();
        prop_assert_eq!(&built, &cut);
        let expected: Vec<Op<'_>> = ops
            .iter()
            .map(|op| match op.change {
                Change::Put(slot) => {
                    Op { change: Change::Put(Slot::Closed(slot.value_commitment())), ..*op }
                }
                _ => *op,
            })
            .collect();
        prop_assert_eq!(decode_skeleton(&built).unwrap(), expected);
    }

    #[test]
    fn bytes_that_decode_are_the_only_ones(batch in ops(3, 4), at in any::<prop::sample::Index>(), mask in 1u8..) {
        let mut bytes = encoded(&borrowed(&batch));
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        if let Ok(ops) = decode_ops(&bytes) {
            prop_assert_eq!(encoded(&ops), bytes);
        }
    }
}

/// A counter at 0 is the same as an absent key, for operations, guards and digests.
#[test]
fn a_counter_at_0_is_an_absent_key() {
    let op = |guard, change| OpDraft { key: "stock".into(), guard, change };
    let emptied =
        grown(&[vec![op(Guard::None, ChangeDraft::Add(3))], vec![op(Guard::None, ChangeDraft::Add(-3))]]);
    assert_eq!(emptied, MapState::default());
    let full = grown(&[vec![op(Guard::Absent, ChangeDraft::Add(3))]]);
    let holds = |state: &MapState, guard| {
        let op = op(guard, ChangeDraft::Add(1));
        let Ok(applied) = apply(state, &[op.op()], true);
        applied.is_ok()
    };
    assert!(holds(&emptied, Guard::Counter(0)) && holds(&emptied, Guard::Absent));
    assert!(!holds(&full, Guard::Counter(0)) && !holds(&full, Guard::Absent));
    assert!(holds(&full, Guard::Counter(3)) && !holds(&full, Guard::Counter(4)));
}

/// Most random batches must go through, or the properties above say little.
#[test]
fn enough_batches_go_through() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let through = (0..1000)
        .filter(|_| {
            let mut draw =
                |strategy: BoxedStrategy<Vec<OpDraft>>| strategy.new_tree(&mut runner).unwrap().current();
            let history: Vec<_> = (0..6).map(|_| draw(ops(4, 4).boxed())).collect();
            let batch = draw(ops(4, 6).boxed());
            there_and_back(&grown(&history), &batch).unwrap()
        })
        .count();
    println!("{through} of 1000 batches go through");
    assert!(through > 250);
}
