//! `kill-switch`: pull it, release it, hand it over, drill it, and see where it stands.

mod drill;

use crate::act::{self, Landed, Urgency};
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::names::Names;
use crate::place::Place;
use crate::table::Table;
use crate::time;
use anyhow::Result;
use counterfoil_format::body::{Body, KillSwitch, Role, SwitchAct};
use counterfoil_format::intent::{KeyId, Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_ledger::{Inbox, Log, now};
use counterfoil_rules::governance::{Governance, InForce};
use serde_json::{Value as Json, json};
use std::io::Write;

/// What `kill-switch` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Pull it: from the next row on no live decision is applied
    #[command(after_help = ENGAGE)]
    Engage(Move),
    /// Release it
    Release(Move),
    /// Give it to another operator, who is named in every row from then on
    HandOver(HandOver),
    /// Try it out: pull it, prove with a decision that it holds, release it
    Drill(drill::Args),
    /// Say where it stands, who holds it, and when the next drill is due
    Status(Shown),
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop kill-switch status
  counterfoil -l shop kill-switch engage --reason 'prices run away'
  counterfoil -l shop kill-switch release --reason 'the feed is right again'
  counterfoil -l shop kill-switch hand-over alice
  counterfoil -l shop kill-switch drill

While it is engaged every live decision is put aside for review; rollbacks
still work. Every row names the row that last moved it, and so who held it.";

const ENGAGE: &str = "\
Examples:
  counterfoil -l shop kill-switch engage --reason 'prices run away'
  counterfoil -l shop kill-switch status

It needs an operator's key and no other, and works while other processes
write: once it has returned, every decision that they begin afterwards is put
aside for review. Rollbacks still work. When no ledger can be opened it is
left in the ledger's inbox, and whoever opens it next lands it first.";

#[derive(clap::Args)]
struct Move {
    /// Why; it stands in the row
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Whose key signs; by default the first here that may, an operator's before the owner's
    #[arg(long = "as", value_name = "NAME")]
    author: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct HandOver {
    /// Who holds it from then on: the name of an operator or of the owner
    #[arg(value_name = "NAME")]
    to: String,
    #[command(flatten)]
    how: Move,
}

#[derive(clap::Args)]
struct Shown {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    match &args.what {
        What::Engage(how) => turn(how, SwitchAct::Engage, None, place, out),
        What::Release(how) => turn(how, SwitchAct::Release, None, place, out),
        What::HandOver(to) => turn(&to.how, SwitchAct::HandOver, Some(&to.to), place, out),
        What::Drill(args) => drill::run(args, place, out),
        What::Status(shown) => status(shown, place, out),
    }
}

fn turn(how: &Move, act: SwitchAct, to: Option<&str>, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let governance = log.governance()?;
    let now = &governance.in_force.switch;
    if act == SwitchAct::Release && !now.engaged {
        let row = governance.in_force.switch_row;
        return Err(Refused::error(format!(
            "nothing was changed: the kill switch is released already (row {row})"
        )));
    }
    let author = place.keys().author(&governance, how.author.as_deref(), Kind::KillSwitch)?;
    let holder = match to {
        Some(name) => named(&governance, name)?,
        None => holder(&governance, &author),
    };
    let engaged = match act {
        SwitchAct::Engage => true,
        SwitchAct::Release => false,
        SwitchAct::HandOver | SwitchAct::Drill => now.engaged,
    };
    let switch = KillSwitch { act, engaged, holder, reason: &how.reason, drill: None };
    let urgency = if act == SwitchAct::Engage { Urgency::Urgent } else { Urgency::Plain };
    let landed = act::land(place, &log, &author, Body::KillSwitch(switch), urgency)?;
    if landed.outcome != Outcome::Applied {
        let (seq, fate) = (landed.seq, landed.fate());
        return Err(Refused::error(format!("the kill switch was NOT moved: row {seq} landed as {fate}")));
    }
    log.refresh()?;
    tell(&landed, &log, how.json, out)
}

fn tell(landed: &Landed, log: &Log, as_json: bool, out: &mut dyn Write) -> Result<()> {
    let (governance, names) = (log.governance()?, Names::of(log)?);
    let switch = &governance.in_force.switch;
    let holder = names.key(&switch.holder);
    if as_json {
        let more = [("engaged", json!(switch.engaged)), ("holder", json!(holder))];
        writeln!(out, "{}", landed.json_with(more))?;
        return Ok(());
    }
    let is = if switch.engaged { "ENGAGED: no live decision is applied" } else { "released" };
    writeln!(out, "The kill switch is {is}; {holder} holds it (row {}).", landed.seq)?;
    Ok(())
}

/// Who holds it now, as long as that key lives; else who moves it.
pub(super) fn holder(governance: &Governance, author: &NamedKey) -> KeyId {
    use counterfoil_ledger::Signer;
    let holder = governance.in_force.switch.holder;
    let lives = governance.keys.get(&holder).is_some_and(|key| key.until.is_none());
    if lives { holder } else { author.key.public().id() }
}

fn named(governance: &Governance, name: &str) -> Result<KeyId> {
    let fit = Role::Operator.bit() | Role::Owner.bit();
    let living = governance.keys.all().into_iter().filter(|key| key.until.is_none() && key.roles & fit != 0);
    let all: Vec<_> = living.collect();
    all.iter().find(|key| key.name == name).map(|key| key.key.id()).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|key| key.name.as_str()).collect();
        Refused::error(format!("no operator {name} is in force; there are: {}", names.join(", ")))
    })
}

/// When drills were and are due.
pub struct Drills {
    /// When the last one ended, or the ledger began.
    pub last: Micros,
    /// When the next one is due; `None` when the policy asks for none.
    pub due: Option<Micros>,
    /// Whether that is past.
    pub overdue: bool,
}

impl Drills {
    /// As they stand now.
    pub fn of(in_force: &InForce) -> Self {
        let due = in_force.drill_due();
        Drills { last: in_force.drilled_at, due, overdue: due.is_some_and(|due| now() > due) }
    }

    /// In words.
    pub fn words(&self) -> String {
        match (self.due, self.overdue) {
            (None, _) => "the policy asks for none".to_owned(),
            (Some(due), false) => format!("the next one is due by {}", time::print_short(due)),
            (Some(due), true) => {
                format!("OVERDUE since {}; run `counterfoil kill-switch drill`", time::print_short(due))
            }
        }
    }

    /// As JSON.
    pub fn json(&self) -> Json {
        json!({
            "last": time::print(self.last),
            "due": self.due.map(time::print),
            "overdue": self.overdue,
        })
    }
}

fn status(shown: &Shown, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let (governance, names) = (log.governance()?, Names::of(&log)?);
    let in_force = &governance.in_force;
    let switch = &in_force.switch;
    let (holder, drills) = (names.key(&switch.holder), Drills::of(in_force));
    let since = act::landed(&log, in_force.switch_row)?.landed_at;
    // What was left and has not landed may be a pull of the switch.
    let waiting = Inbox::of(place.dir()).waiting()?;
    if shown.json {
        let object = json!({
            "engaged": switch.engaged, "drilling": switch.drilling, "holder": holder,
            "row": in_force.switch_row, "since": time::print(since), "drill": drills.json(),
            "waiting_in_inbox": waiting,
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let is = match (switch.engaged, switch.drilling) {
        (true, true) => {
            "ENGAGED for a drill that has not ended; `counterfoil kill-switch drill` goes on with it"
        }
        (true, false) => "ENGAGED: no live decision is applied",
        (false, _) => "released",
    };
    let mut table = Table::default();
    table.push(["kill switch", is]);
    table.push(["since", &format!("{} (row {})", time::print_short(since), in_force.switch_row)]);
    table.push(["held by", &holder]);
    table.push(["drills", &drills.words()]);
    if waiting > 0 {
        table.push(["inbox", &format!("{waiting} left there and not landed yet; one may move the switch")]);
    }
    table.print(0, out)?;
    Ok(())
}
