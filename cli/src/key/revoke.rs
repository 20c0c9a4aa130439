//! `key revoke`: end a key.

use super::change::{Desk, as_json, note_on_switch};
use crate::act::Urgency;
use crate::confirm::confirm;
use crate::exit::Refused;
use crate::keys::check_name;
use crate::place::Place;
use crate::table::printable;
use crate::time;
use anyhow::Result;
use counterfoil_format::body::{KeyChange, Role};
use counterfoil_format::intent::{KeyId, Micros};
use counterfoil_ledger::{Log, ReadError, now};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::keyring::Enrolled;
use serde_json::json;
use std::io::Write;
use std::ops::ControlFlow;

/// What `key revoke` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Whose key it is; or the key's id
    #[arg(value_name = "NAME|ID", value_parser = check_name)]
    key: String,
    /// Since when others may have had it: rows that it signed then or later are suspect
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    compromised_since: Option<Micros>,
    /// Why, in your words; it stands in the row
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Answer yes beforehand
    #[arg(long)]
    yes: bool,
    /// The key that signs the row, by the name of its file; the owner's, if not said
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil key revoke executor-1 --reason 'the agent is retired'
  counterfoil key revoke executor-1 --compromised-since 2026-11-20T08:00:00Z
  counterfoil key revoke 4f1c22a09b3e7d58 --yes

A key that has ended never lives again, and what it has signed stays as it is.
With --compromised-since the rows that it signed then or later, by the ledger's
clock, are suspect: nobody can tell from the log whose they are. `counterfoil
verify` lists them for good, and `counterfoil rollback` takes single ones back.
It lands also while another process has the ledger open.
The last key of the owner and the last one that seals cannot be revoked; they
are rotated. The key's files are not touched.";

/// What a key has signed.
#[derive(Default)]
struct Signed {
    rows: u64,
    /// How many of them landed when others may have had it.
    suspect: u64,
}

/// Ends the key, and says what that means.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(place, args.author.as_deref())?;
    let key = desk.living(&args.key)?;
    let id = key.key.id();
    if let Some(since) = args.compromised_since.filter(|since| *since > now()) {
        let since = time::print(since);
        return Err(Refused::error(format!(
            "--compromised-since {since}: nobody can have had it in the future"
        )));
    }
    let change =
        KeyChange::Revoke { key: id, compromised_since: args.compromised_since, reason: &args.reason };
    desk.check(&change)?;
    let before = signed(&desk.log, id, args.compromised_since)?;
    if !args.json {
        tell(args, key, &desk.governance, &before, out)?;
        out.flush()?;
    }
    confirm(&format!("Revoke {} (key {id})?", printable(&key.name)), args.yes)?;
    let receipt = desk.land(&change, None, Urgency::Urgent)?;
    // The owner may have signed that very row, and others may have landed rows while nobody had answered.
    desk.log.refresh()?;
    let after = signed(&desk.log, id, args.compromised_since)?;
    let name = key.name.clone();
    if args.json {
        let suspect = json!(args.compromised_since.map(|_| after.suspect));
        let more = [("signed_rows", json!(after.rows)), ("suspect_rows", suspect)];
        let object = as_json(place, &change, &receipt, more)?;
        return Ok(writeln!(out, "{object}")?);
    }
    writeln!(out, "Landed as row {}: {} signs nothing any more.", receipt.seq, printable(&name))?;
    if args.compromised_since.is_some() {
        let them = if after.suspect == 1 { "it" } else { "them" };
        writeln!(out, "{} suspect; `counterfoil verify` lists {them}.", rows_are(after.suspect))?;
    }
    Ok(())
}

fn rows_are(count: u64) -> String {
    if count == 1 { "1 row is".into() } else { format!("{count} rows are") }
}

/// Counts what a key has signed, as the verifier does.
fn signed(log: &Log, key: KeyId, since: Option<Micros>) -> Result<Signed> {
    let mut signed = Signed::default();
    log.scan::<ReadError>(0..log.head().size, |row| {
        if row.head.author == key {
            signed.rows += 1;
            signed.suspect += u64::from(since.is_some_and(|since| row.landing.landed_at >= since));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(signed)
}

/// Says what revoking a key means.
fn tell(
    args: &Args,
    key: &Enrolled,
    governance: &Governance,
    signed: &Signed,
    out: &mut dyn Write,
) -> Result<()> {
    let roles: Vec<_> = Role::in_set(key.roles).map(Role::name).collect();
    let (name, id) = (printable(&key.name), key.key.id());
    writeln!(out, "{name} (key {id}), {} since row {}:", roles.join(", "), key.since)?;
    let rows = if signed.rows == 1 {
        "1 row, which stays".into()
    } else {
        format!("{} rows, which stay", signed.rows)
    };
    writeln!(out, "  It has signed {rows} valid. From the next row on it signs nothing, for good.")?;
    if let Some(since) = args.compromised_since {
        writeln!(
            out,
            "  Of these, {} suspect, since others may have had the key from {} on.",
            rows_are(signed.suspect),
            time::print(since)
        )?;
    }
    for role in Role::in_set(key.roles).filter(|role| !matches!(role, Role::Planner | Role::Auditor)) {
        let mut others = governance.keys.all().into_iter().filter(|other| other.until.is_none());
        if !others.any(|other| other.key.id() != id && other.roles & role.bit() != 0) {
            let (role, hint) = (role.name(), "`counterfoil key grant` enrols one");
            writeln!(out, "  No other key has the role {role}; {hint}.")?;
        }
    }
    note_on_switch(governance, id).map_or(Ok(()), |note| Ok(writeln!(out, "  {note}")?))
}
