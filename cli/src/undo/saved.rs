//! Plans in files: what was planned, on which head, signed by who may carry it out.
//!
//! A file is a JSON object, an empty line, and a signed note (c2sp.org/signed-note) whose text is `counterfoil/plan/v1` and the
//! BLAKE3 hash of the JSON's bytes. A plan is carried out only when the ledger is the one it was made for, the head that it was
//! made on lies in the log, and planning the same anew gives the same.

use super::asked::Asked;
use super::json::{call, change};
use super::{Made, Options, Shown};
use crate::exit::Refused;
use crate::place::Place;
use crate::time;
use anyhow::{Context as _, Result, anyhow};
use counterfoil_format::Hash;
use counterfoil_format::intent::Kind;
use counterfoil_format::note::{SignedNote, VerifierKey};
use counterfoil_format::ops::decode_ops;
use counterfoil_ledger::{Log, Signer as _, now};
use counterfoil_replay::plan::{Plan, Reversal};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::keyring::{Enrolled, KeyError};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// The first line of the note.
const DOMAIN: &str = "counterfoil/plan/v1";
/// Bytes of a file, at most.
const FILE_BYTES: u64 = 256 << 20;
/// The version of the JSON.
const VERSION: u32 = 1;

/// A plan in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    version: u32,
    ledger_id: String,
    origin: String,
    /// How many rows there were.
    size: u64,
    /// The hash of the last of them.
    head: String,
    made_at: String,
    reason: String,
    without_effects: bool,
    asked: Asked,
    rows: Vec<Row>,
    changes: Vec<Json>,
    #[serde(skip)]
    note: String,
}

/// A row that is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    target: u64,
    hash: String,
    manner: String,
    left: Vec<String>,
    calls: Vec<Json>,
}

impl Saved {
    /// A plan that was made just now.
    pub(super) fn of(log: &Log, options: &Options, made: &Made) -> Result<Self> {
        let last = made.plan.size.saturating_sub(1);
        let row = |reversal: &Reversal| Row {
            target: reversal.target,
            hash: reversal.target_hash.to_string(),
            manner: reversal.manner.name().to_owned(),
            left: reversal.left.iter().map(|(key, _)| key.clone()).collect(),
            calls: reversal.calls_in_order().map(call).collect(),
        };
        Ok(Saved {
            version: VERSION,
            ledger_id: log.ledger_id().to_string(),
            origin: log.origin().to_owned(),
            size: made.plan.size,
            head: log.row(last)?.parse()?.row_hash.to_string(),
            made_at: time::print(now()),
            reason: options.shown.reason.clone(),
            without_effects: options.shown.without_effects,
            asked: made.asked.clone(),
            rows: made.plan.reversals.iter().map(row).collect(),
            changes: changes(made)?,
            note: String::new(),
        })
    }

    /// Signs it with a key that may carry it out, and writes it to a new file.
    pub(super) fn write(
        &self,
        place: &Place,
        options: &Options,
        governance: &Governance,
        plan: &Plan,
        file: &Path,
    ) -> Result<()> {
        let author = place.keys().author(governance, options.shown.author.as_deref(), Kind::Rollback)?;
        let refused = |error: KeyError| {
            Refused::error(format!("the plan is not written: {error}, so this key cannot carry it out"))
        };
        let (id, policy) = (author.key.public().id(), &governance.in_force.policy);
        let key = governance.keys.may_write(id, Kind::Rollback, policy).map_err(refused)?;
        check_scope(key, plan)?.map_err(refused)?;
        let text = serde_json::to_string_pretty(self)?;
        let claim = claim(&text);
        let key = VerifierKey { name: self.origin.clone(), key: author.key.public().clone() };
        let note = SignedNote::new(claim.clone(), &key, &author.key.sign(claim.as_bytes()));
        let whole = format!("{text}\n\n{note}");
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).open(file);
        let mut opened = opened.with_context(|| format!("{}: the plan is not written", file.display()))?;
        std::io::Write::write_all(&mut opened, whole.as_bytes())
            .with_context(|| format!("{}: the plan is not written whole", file.display()))
    }

    /// Reads one; who has signed it is still to be checked.
    pub fn read(file: &Path) -> Result<Self> {
        let at = || file.display().to_string();
        let mut whole = String::new();
        let opened = fs::File::open(file).with_context(at)?;
        opened.take(FILE_BYTES).read_to_string(&mut whole).with_context(at)?;
        let (text, note) = whole
            .split_once(&format!("\n\n{DOMAIN}\n"))
            .ok_or_else(|| anyhow!("{}: not a plan: it has no signed note behind the JSON", at()))?;
        let mut saved: Saved =
            serde_json::from_str(text).with_context(|| format!("{}: not a plan of this build", at()))?;
        if saved.version != VERSION {
            return Err(anyhow!(
                "{}: a plan of version {}, and this build reads {VERSION}",
                at(),
                saved.version
            ));
        }
        let note = format!("{DOMAIN}\n{note}");
        if !note.starts_with(&claim(text)) {
            return Err(Refused::error(format!("{}: the plan was changed after it was signed", at())));
        }
        saved.note = note;
        Ok(saved)
    }

    /// How it is carried out: as was said when it was made.
    pub(super) fn options(&self, given: &Options) -> Options {
        Options {
            apply: given.apply,
            yes: given.yes,
            adapters: given.adapters.clone(),
            shown: Shown {
                reason: self.reason.clone(),
                author: given.shown.author.clone(),
                without_effects: self.without_effects,
                save: None,
                json: given.shown.json,
            },
            written: None,
        }
    }

    /// Whether it was made for this ledger, on a head that lies in its log, by somebody who may carry it out.
    pub(super) fn check(&self, log: &Log, governance: &Governance) -> Result<Asked> {
        if self.ledger_id != log.ledger_id().to_string() {
            let (theirs, ours) = (&self.origin, log.origin());
            return Err(Refused::error(format!(
                "the plan was made for another ledger, {theirs}, and this is {ours}"
            )));
        }
        let last = self.size.saturating_sub(1);
        if last >= log.head().size || log.row(last)?.parse()?.row_hash.to_string() != self.head {
            return Err(Refused::error(format!(
                "the plan was made on another history: row {last} has not the hash that it names"
            )));
        }
        match self.signers(governance)?.is_empty() {
            false => Ok(self.asked.clone()),
            true => Err(Refused::error("the plan is not signed by a key in force that may take rows back")),
        }
    }

    /// The keys that have signed it and may take rows back now.
    fn signers<'g>(&self, governance: &'g Governance) -> Result<Vec<&'g Enrolled>> {
        let note = SignedNote::parse(self.note.as_bytes());
        let note = note.map_err(|error| anyhow!("the plan's signature: {error}"))?;
        let policy = &governance.in_force.policy;
        let signed = |key: &&Enrolled| {
            let verifier = VerifierKey { name: self.origin.clone(), key: key.key.clone() };
            governance.keys.may_write(key.key.id(), Kind::Rollback, policy).is_ok()
                && note.verify(&verifier).is_ok()
        };
        Ok(governance.keys.all().into_iter().filter(signed).collect())
    }

    /// Whether the plan lies within the scope of a key that has signed it.
    pub(super) fn check_scope(&self, governance: &Governance, plan: &Plan) -> Result<()> {
        let mut outside = None;
        for key in self.signers(governance)? {
            match check_scope(key, plan)? {
                Ok(()) => return Ok(()),
                Err(error) => outside = Some(error),
            }
        }
        let why = outside.map_or(String::new(), |error| format!(": {error}"));
        Err(Refused::error(format!("the plan is not signed by a key that may carry it out{why}")))
    }

    /// Refuses a plan when planning the same now gives something else.
    pub(super) fn compare(&self, now: &Saved) -> Result<()> {
        let moved = |what: String| {
            Err(Refused::error(format!(
                "the world has moved on since the plan was made on row {}: {what}. Nothing was changed; plan anew",
                self.size.saturating_sub(1)
            )))
        };
        let differs = self.rows.iter().zip(&now.rows).find(|(then, now)| then != now);
        if let Some((then, now)) = differs {
            return moved(match then.target == now.target {
                true => {
                    format!("row {} would be taken back in another way, or with other effects", now.target)
                }
                false => {
                    format!("it takes back row {} next, and now row {} must go", then.target, now.target)
                }
            });
        }
        if self.rows.len() != now.rows.len() {
            return moved(format!(
                "it takes back {} rows, and now {} must go",
                self.rows.len(),
                now.rows.len()
            ));
        }
        let differs = self.changes.iter().zip(&now.changes).find(|(then, now)| held(then) != held(now));
        match differs {
            Some((then, _)) => moved(format!(
                "the key {} does not hold what it held",
                then.get("key").unwrap_or(&Json::Null)
            )),
            None if self.changes.len() != now.changes.len() => moved("other keys would change".to_owned()),
            None => Ok(()),
        }
    }
}

/// What each key holds before and after; of a counter that is only added to, that this is so: what else was added to it meanwhile
/// does not matter.
fn changes(made: &Made) -> Result<Vec<Json>> {
    let mut set = BTreeSet::new();
    for reversal in made.plan.reversals.iter().filter(|reversal| !reversal.ops.is_empty()) {
        let ops = decode_ops(&reversal.ops)?;
        set.extend(ops.iter().filter(|op| !op.only_adds()).map(|op| op.state_key().into_owned()));
    }
    let told = made.changes.iter().map(|found| {
        let mut told = change(found);
        if let Some(object) = told.as_object_mut().filter(|_| !set.contains(&found.key)) {
            object.insert("only_adds".to_owned(), json!(true));
        }
        told
    });
    Ok(told.collect())
}

/// What of a change must be the same when the plan is carried out.
fn held(change: &Json) -> Json {
    let value = |side: &str| change.pointer(&format!("/{side}/value")).cloned().unwrap_or(Json::Null);
    let key = change.get("key");
    match change.get("only_adds") {
        Some(_) => {
            let number = |side: &str| value(side).as_i64().unwrap_or(0);
            json!([key, number("after").wrapping_sub(number("before"))])
        }
        None => json!([key, value("before"), value("after")]),
    }
}

/// Whether a key may land all of a plan now. The inner error says what lies outside of its scope.
fn check_scope(key: &Enrolled, plan: &Plan) -> Result<std::result::Result<(), KeyError>> {
    let id = key.key.id();
    if let Err(error) = key.scope.check_time(id, now()) {
        return Ok(Err(error));
    }
    for reversal in plan.reversals.iter().filter(|reversal| !reversal.ops.is_empty()) {
        if let Err(error) = key.scope.check_ops(id, &decode_ops(&reversal.ops)?) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn claim(text: &str) -> String {
    format!("{DOMAIN}\n{}\n", Hash(*blake3::hash(text.as_bytes()).as_bytes()))
}
