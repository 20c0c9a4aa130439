//! `log --follow`: rows as they become durable.

use super::{Args, print_json, print_table, range, table};
use crate::names::Names;
use anyhow::Result;
use counterfoil_ledger::Log;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::Write;

/// How often new rows are looked for.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Lists the rows asked for, and then those that land, until nobody reads them any more.
pub fn run(args: &Args, log: &Log, out: &mut dyn Write) -> Result<()> {
    let mut names = Names::of(log)?;
    let mut governing = log.special().len();
    let mut table = table();
    let mut rows = range(args, log.head().size);
    let end = args.from.zip(args.limit).map(|(from, limit)| from.saturating_add(limit));
    loop {
        if args.json {
            print_json(log, &mut names, rows.clone(), out)?;
        } else {
            print_table(log, &names, rows.clone(), &mut table, out)?;
        }
        out.flush()?;
        if end.is_some_and(|end| rows.end >= end) {
            return Ok(());
        }
        while !log.refresh()? {
            if !is_read_after(&POLL)? {
                return Ok(());
            }
        }
        let size = log.head().size;
        rows = rows.end.max(args.from.unwrap_or(0)).min(size)..end.map_or(size, |end| end.min(size));
        let special = log.special().len();
        if special > governing {
            (names, governing) = (Names::of(log)?, special);
        }
    }
}

/// Waits; yields whether somebody still reads standard output. A closed pipe ends the waiting.
fn is_read_after(time: &Timespec) -> Result<bool> {
    let out = std::io::stdout();
    let mut watched = [PollFd::new(&out, PollFlags::empty())];
    match poll(&mut watched, Some(time)) {
        Ok(0) | Err(Errno::INTR) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}
