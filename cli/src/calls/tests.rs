//! Rows that land in the last moment before a call.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use super::*;
use crate::act::Landed;
use crate::decision::random_id;
use counterfoil_format::body::{Manner, RollbackOf};
use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::intent::{Kind as RowKind, Mode};
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, Platform, SubmissionBuilder, now};
use counterfoil_replay::plan::Does;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Takes a row back, which calls for these effects.
fn take_back(place: &Place, log: &Log, operator: &NamedKey, row: &Landed, effects: Vec<u32>) -> Landed {
    let (target, target_hash, manner) = (row.seq, row.row_hash, Manner::Exact);
    let body = Body::Rollback(RollbackOf { target, target_hash, manner, effects });
    act::land(place, log, operator, body, Urgency::Plain).unwrap()
}

/// Whoever has looked and found that a call is to be made looks again when the row stands that says that it is about to be made.
#[test]
fn what_lands_before_a_call_is_about_to_be_made_stops_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let args = crate::init::Args::new("example.com/shop", "open");
    crate::init::found(&args, &ledger, &Platform::default()).unwrap();
    let place = Place::find(Some(&ledger)).unwrap();
    let log = place.log().unwrap();
    let key = |kind| place.keys().author(&log.governance().unwrap(), None, kind).unwrap();
    let (executor, operator) = (key(RowKind::Decision), key(RowKind::Rollback));

    let request = Value::Null.encode().unwrap();
    let mut draft = Draft::decision(random_id(now()).unwrap(), "DO", now());
    draft.mode = Mode::Live;
    draft.effects = vec![Effect { adapter: "touch", request: &request, undo: Undo::Request(&request) }];
    let mut builder = SubmissionBuilder::new(&executor.key).unwrap();
    builder.push(&draft).unwrap();
    let submission = builder.sign(log.ledger_id()).unwrap();
    let decided = act::land_all(&place, &log, submission, Urgency::Plain).unwrap().remove(0);
    let rollback = take_back(&place, &log, &operator, &decided, vec![0]);

    let (program, called) = (dir.path().join("touch.sh"), dir.path().join("called"));
    fs::write(&program, format!("#!/bin/sh\ntouch {called:?}\necho '{{\"status\":\"absent\"}}'\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let file = adapters_file(&place, None);
    fs::write(&file, format!("[adapters.touch]\nprogram = {program:?}\nretries = 0\n")).unwrap();
    let mut caller = Caller::new(&place, Adapters::read(&file).unwrap(), &operator).unwrap();
    let (adapter, does) = ("touch".to_owned(), Does::Undo);
    let call = PlannedCall { effect: 0, adapter, does, request, until: None };
    assert!(caller.held(rollback.seq, 0, Some(&call)).unwrap().is_none());

    log.refresh().unwrap();
    let redo = take_back(&place, &log, &operator, &rollback, Vec::new());
    let told = caller.make(rollback.seq, &rollback.row_hash, &call).unwrap();
    let why = format!("it was not made: row {} is taken back itself, by row {}", rollback.seq, redo.seq);
    assert_eq!((told.status, told.detail), (EffectStatus::Failed, why));
    assert!(!called.exists());
    // It is made where that is not so.
    log.refresh().unwrap();
    let again = take_back(&place, &log, &operator, &redo, Vec::new());
    let told = caller.make(rollback.seq, &rollback.row_hash, &call).unwrap();
    assert!(called.exists(), "{} {}", told.status, told.detail);
    // And what has landed since is seen with the next look.
    log.refresh().unwrap();
    take_back(&place, &log, &operator, &again, Vec::new());
    assert!(matches!(caller.held(rollback.seq, 0, Some(&call)).unwrap(), Some(Held::Moot(_))));
}
