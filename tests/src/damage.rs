//! Damage to finished ledgers by someone who has the files and no key: groups taken apart and put together again.

use crate::output::groups;
use counterfoil_format::frame::SegmentHeader;
use counterfoil_format::group::{GroupBody, GroupBuilder, GroupHeader};
use counterfoil_format::submission::SignedSubmission;

/// A group taken apart: row records and submissions, to be changed at will.
#[derive(Debug, Clone)]
pub struct Pieces {
    /// The row records.
    pub rows: Vec<Vec<u8>>,
    /// The submissions.
    pub submissions: Vec<SignedSubmission>,
}

impl Pieces {
    /// The pieces of a group of an honest segment.
    pub fn of(segment: &[u8], group: usize) -> Pieces {
        let (header, body) = read(segment, group);
        let parsed = GroupBody::parse(&header, &body).unwrap();
        let rows = parsed.rows().map(|(_, record)| record.to_vec()).collect();
        Pieces { rows, submissions: parsed.submissions }
    }

    /// The submission that covers a row.
    pub fn covering(&mut self, row: usize) -> &mut SignedSubmission {
        let mut end = 0;
        let covers = |submission: &&mut SignedSubmission| {
            end += submission.count as usize;
            row < end
        };
        self.submissions.iter_mut().find(covers).unwrap()
    }
}

fn read(segment: &[u8], group: usize) -> (GroupHeader, Vec<u8>) {
    let salt = SegmentHeader::read(segment).unwrap().salt;
    let offset = groups(segment)[group].start as u64;
    let header = GroupHeader::read(segment, offset, segment.len() as u64, &salt).unwrap();
    let mut body = Vec::new();
    header.read_body(segment, offset, &salt, &mut body).unwrap();
    (header, body)
}

/// The segment with other pieces in one of its groups. The seal, the numbers in the header and the groups around it stay;
/// lengths, counts and checksums fit.
pub fn regroup(segment: &[u8], group: usize, pieces: &Pieces) -> Vec<u8> {
    let salt = SegmentHeader::read(segment).unwrap().salt;
    let (header, body) = read(segment, group);
    let seal = GroupBody::parse(&header, &body).unwrap().seal;
    let mut builder = GroupBuilder::default();
    for record in &pieces.rows {
        builder.push_row(|out| out.extend_from_slice(record)).unwrap();
    }
    pieces.submissions.iter().for_each(|submission| builder.push_submission(*submission));
    let bytes =
        builder.finish(header.first_seq, header.durable_upto, &header.previous, &salt, &seal).unwrap();
    let range = groups(segment)[group].clone();
    [&segment[..range.start], &bytes, &segment[range.end..]].concat()
}

/// The segment without one of its groups.
pub fn without_group(segment: &[u8], group: usize) -> Vec<u8> {
    let range = groups(segment)[group].clone();
    [&segment[..range.start], &segment[range.end..]].concat()
}

/// The segment with one of its groups twice.
pub fn doubled_group(segment: &[u8], group: usize) -> Vec<u8> {
    let range = groups(segment)[group].clone();
    [&segment[..range.end], &segment[range.start..]].concat()
}

/// The segment with a group and the next one in each other's place.
pub fn swapped_groups(segment: &[u8], group: usize) -> Vec<u8> {
    let all = groups(segment);
    let (first, second) = (all[group].clone(), all[group + 1].clone());
    [&segment[..first.start], &segment[second.clone()], &segment[first], &segment[second.end..]].concat()
}
