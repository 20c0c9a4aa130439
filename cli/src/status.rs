//! `status`: what the ledger is and where it stands.

use crate::effects;
use crate::horizon::{CLASSES, is_proven, proven};
use crate::kill_switch::Drills;
use crate::names::Names;
use crate::place::Place;
use crate::table::Table;
use crate::time;
use anyhow::{Result, anyhow};
use counterfoil_format::Hash;
use counterfoil_format::body::{Role, Snapshot};
use counterfoil_format::intent::Micros;
use counterfoil_format::note::VerifierKey;
use counterfoil_format::policy::Reach;
use counterfoil_rules::governance::Governance;
use serde_json::json;
use std::io::Write;

/// What `status` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop status
  counterfoil -l shop status --json | jq -r .vkey

The mode is `live` when the policy in force lets some action be live and the
kill switch is released, and else `dry-run`: nothing an agent asks for would be
applied. The owner is the key that row 0 names, which is the one to pin.";

/// Prints the status.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let head = log.head();
    let governance = log.governance()?;
    let names = Names::of(&log)?;
    let sealing = governance.keys.sealing().ok_or_else(|| anyhow!("no key seals this ledger"))?;
    let vkey = VerifierKey { name: log.origin().to_owned(), key: sealing.key.clone() }.to_string();
    // Row 0 enrols the owner and the ledger's key, the owner's under its name.
    let first = governance.keys.all().into_iter().find(|key| key.since == 0 && key.name == "owner");
    let owner = first.map(|key| Hash(*key.key.as_bytes()).to_string()).unwrap_or_default();
    let in_force = &governance.in_force;
    let holder = names.key(&in_force.switch.holder);
    let engaged = in_force.switch.engaged;
    let drills = Drills::of(in_force);
    let effects = effects::Counts::of(&log)?;
    let now = counterfoil_ledger::now();
    let snapshot = log.snapshot_rows()?.last().copied();
    let rules = in_force.policy.rules();
    let allowed: Vec<String> =
        rules.into_iter().filter(|(_, rule)| rule.live).map(|(name, _)| name).collect();
    let live = !engaged && !allowed.is_empty();
    let mode = if live { "live" } else { "dry-run" };
    if args.json {
        let object = json!({
            "origin": log.origin(), "ledger_id": log.ledger_id().to_string(), "vkey": vkey, "owner": owner,
            "size": head.size, "root": head.root.to_string(), "head": head.row_hash.to_string(), "mode": mode,
            "kill_switch": { "engaged": engaged, "holder": holder, "drill": drills.json() },
            "policy_row": in_force.policy_row, "kill_switch_row": in_force.switch_row,
            "last_landed_at": time::print(head.landed_at), "effects": effects.json(),
            "recovery_drills": CLASSES.map(|class| {
                let passed = governance.drilled(class).map(|drill| drill.passed);
                json!({ "class": class.name(), "passed": passed, "proven": is_proven(&governance, class, now) })
            }),
            "snapshot": snapshot.map(|(row, snapshot)| json!({ "row": row, "at": snapshot.at })),
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let switch = if engaged { "engaged" } else { "released" };
    let mut table = Table::default();
    table.push(["origin", log.origin()]);
    table.push(["ledger id", &log.ledger_id().to_string()]);
    table.push(["owner", &owner]);
    table.push(["vkey", &vkey]);
    table.push(["rows", &format!("{}, the last one at {}", head.size, time::print(head.landed_at))]);
    table.push(["head", &head.row_hash.to_string()]);
    table.push(["root", &head.root.to_string()]);
    table.push(["mode", mode]);
    table.push(["policy", &format!("{} (row {})", actions(&allowed), in_force.policy_row)]);
    table.push(["kill switch", &format!("{switch}, held by {holder} (row {})", in_force.switch_row)]);
    table.push(["drills", &drills.words()]);
    for line in recovery(&governance, now) {
        table.push(["recovery", &line]);
    }
    table.push(["effects", &open(&effects)]);
    table.push(["snapshots", &kept(snapshot)]);
    for key in governance.keys.all().into_iter().filter(|key| key.until.is_none()) {
        let roles: Vec<_> = Role::in_set(key.roles).map(Role::name).collect();
        let line = format!("{} ({}), {} since row {}", key.name, key.key.id(), roles.join(", "), key.since);
        table.push(["key", &line]);
    }
    table.print(0, out)?;
    Ok(())
}

/// Which actions may be live.
fn actions(allowed: &[String]) -> String {
    match allowed {
        [] => "no action may be live".to_owned(),
        [all] if all == "*" => "every action may be live".to_owned(),
        some => format!("live: {}", some.join(", ")),
    }
}

/// Which effects are open.
fn open(effects: &effects::Counts) -> String {
    match effects.words() {
        none if none.is_empty() => "none is open".to_owned(),
        open => format!("{open}; `counterfoil effects` lists them and says how to go on"),
    }
}

/// The newest snapshot, and the row that has pinned it.
fn kept(snapshot: Option<(u64, Snapshot)>) -> String {
    match snapshot {
        None => "none yet".to_owned(),
        Some((row, snapshot)) => {
            format!("the newest of the state after row {}, pinned by row {row}", snapshot.at)
        }
    }
}

/// Which classes of reversibility are proven: a line for each that was drilled, and one for the others.
fn recovery(governance: &Governance, now: Micros) -> Vec<String> {
    let (drilled, never): (Vec<Reach>, _) =
        CLASSES.into_iter().partition(|class| governance.drilled(*class).is_some());
    let told =
        drilled.into_iter().map(|class| format!("{} {}", class.name(), proven(governance, class, now)));
    let mut lines: Vec<String> = told.collect();
    let never: Vec<&str> = never.into_iter().map(Reach::name).collect();
    if !never.is_empty() {
        lines.push(format!("never drilled, so unproven: {}", never.join(", ")));
    }
    lines
}
