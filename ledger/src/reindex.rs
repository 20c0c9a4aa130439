//! Reindexing: everything that can be rebuilt, rebuilt from the segments alone.

use crate::error::OpenError;
use crate::index::Watermark;
use crate::layout::Layout;
use crate::load::{Loaded, Sides, load};
use crate::log::Log;
use crate::platform::Platform;
use crate::rebuild::{Opened, rebuild_current};
use crate::segment::Look;
use crate::side::{self, SegmentEnd};
use crate::tiles::Tiles;
use std::path::Path;
use std::sync::Arc;

/// What was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reindexed {
    /// Rows that were read.
    pub rows: u64,
    /// Side files, one for each segment.
    pub side_files: u64,
    /// Whether the state index is on disk. It is not when it failed again; `notices` says why.
    pub state_index: bool,
    /// Tiles that were written, and those that could not be.
    pub tiles: Rewritten,
    /// What was found and mended on the way, in words for people.
    pub notices: Vec<String>,
}

/// How many files were written, and how many could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Written.
    pub written: u64,
    /// Not written, which costs time when they are needed and nothing else.
    pub failed: u64,
}

/// Rebuilds a ledger's side files, state index and tiles from its segments, reading every row of it and checking
/// checksums, chain and roots on the way. Takes the writer's lock, and like a writer cuts a torn tail off. The old state
/// index is kept in `quarantine/`. What lies in the inbox stays there for the next writer.
///
/// A ledger whose segments are damaged is not reindexed, and what it has is left alone.
pub fn reindex(dir: &Path) -> Result<Reindexed, OpenError> {
    reindex_on(&Platform::default(), dir)
}

/// The same in given surroundings.
pub fn reindex_on(platform: &Platform, dir: &Path) -> Result<Reindexed, OpenError> {
    let layout = Layout::on(dir, platform.storage.clone());
    layout.check()?;
    let _lock = layout.lock()?;
    layout.sync_dir(&layout.log())?;
    layout.sync_dir(layout.root())?;
    let indexed = Opened::on(&layout, &*platform.index).map_or(0, |opened| opened.rows());
    let loaded = load(&layout, indexed, Sides::Rebuild, None)?;
    let mut notices = loaded.notices.clone();
    let last = u64::from(write_last(&layout, &loaded));
    let side_files = last + loaded.sealed.iter().filter(|segment| segment.has_side()).count() as u64;
    let log = Arc::new(Log::from_loaded(layout, loaded)?);
    let head = log.head();
    let mut current = rebuild_current(&log, &*platform.index, "it was asked for", &mut notices)?;
    let flushed = current.flush(Watermark { rows: head.size, last_hash: head.row_hash });
    drop(current);
    let state_index = match flushed {
        Ok(()) => Opened::on(log.layout(), &*platform.index).is_ok_and(|opened| opened.rows() == head.size),
        Err(reason) => {
            notices.push(format!("the state index failed: {reason}"));
            false
        }
    };
    let tiles = Tiles::of(&log).rebuild()?;
    Ok(Reindexed { rows: head.size, side_files, state_index, tiles, notices })
}

/// Writes the side file of the last segment, as a writer does when it closes; without it the next open reads more.
fn write_last(layout: &Layout, loaded: &Loaded) -> bool {
    let (active, head) = (&loaded.active, &loaded.head);
    let Look::Memory(lookups) = &active.look else { return false };
    let end = SegmentEnd {
        rows: head.size.saturating_sub(active.header.first_seq),
        bytes: active.end,
        last_hash: head.row_hash,
        last_landed: head.landed_at,
        tree: loaded.tree.clone(),
    };
    let bytes = side::encode(&active.header, lookups, &end);
    layout.replace(&layout.side(active.header.first_seq), &bytes, false).is_ok()
}
