//! `counterfoil rollback`: take rows back.

use crate::place::Place;
use crate::selection;
use crate::undo::{self, Asked};
use anyhow::{Result, anyhow};
use std::io::Write;
use std::path::PathBuf;

/// Shows what taking rows back would do, and with --apply does it: each row's stored rollback lands as a new row.
///
/// Refused, with the list, when later rows build on one of them, unless --cascade or --keep-later says what becomes of these.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The rows to take back
    #[arg(value_name = "SEQ", conflicts_with_all = ["submission", "key", "executor", "entity", "action", "since", "until", "plan"])]
    rows: Vec<u64>,
    #[command(flatten)]
    selection: selection::Args,
    /// Take back what builds on them too, and nothing more
    #[arg(long, conflicts_with = "keep_later")]
    cascade: bool,
    /// Leave every key that a later row touches as it is, and put back the others
    #[arg(long)]
    keep_later: bool,
    /// Carry out a plan that was saved with --save
    #[arg(long, value_name = "FILE", conflicts_with_all = ["submission", "key", "executor", "entity", "action", "since", "until", "cascade", "keep_later", "save", "reason", "without_effects"])]
    plan: Option<PathBuf>,
    #[command(flatten)]
    options: undo::Options,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil rollback 41                       show what would happen
  counterfoil rollback 41 --apply --reason 'priced below cost'
  counterfoil rollback 41 --cascade             with all that builds on it
  counterfoil rollback 41 --keep-later          but for what changed since
  counterfoil rollback --key agent-7 --since 2026-11-23T10:00:00Z --cascade
  counterfoil rollback --action 'DISCOUNT*' --since 2026-11-20 --until 2026-11-21
  counterfoil rollback 41 --cascade --save plan.json
  counterfoil rollback --plan plan.json --apply

A row builds on another when it touches a key that the other wrote, unless both
only add to it. Rows that point to it as evidence are told, and stay. Effects
outside the store are undone by their adapters (--adapters, DIR/adapters.toml).
A saved plan is refused when the world has moved on since.";

const WHICH: &str = "Name them by number, or by --submission, --key, --executor, --entity, --action, --since, --until; or carry a \
                     saved plan out with --plan";

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    if let Some(plan) = &args.plan {
        return undo::run_saved(place, &args.options, plan, out);
    }
    let rows: Vec<String> = args.rows.iter().map(u64::to_string).collect();
    let how = match (args.cascade, args.keep_later) {
        (true, _) => " --cascade",
        (_, true) => " --keep-later",
        _ => "",
    };
    if args.rows.is_empty() && args.selection.is_empty() {
        return Err(anyhow!("which rows? {WHICH}"));
    }
    let again = undo::Again::with(
        place,
        &format!("rollback {}{}{how}", rows.join(" "), args.selection.words()),
        false,
    );
    undo::run(place, &args.options, &again, out, |past, governance, log| {
        past.check_rows(&args.rows)?;
        let (cascade, keep_later) = (args.cascade, args.keep_later);
        let asked = match args.selection.is_empty() {
            true => {
                Asked::Rollback { rows: args.rows.clone(), selection: None, cascade, keep_later, redo: false }
            }
            false => Asked::meant_by(&args.selection, cascade, keep_later),
        };
        asked.again(past, governance, log)
    })
}
