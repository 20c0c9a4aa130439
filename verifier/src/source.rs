//! The files of a ledger: which segments there are, in which order, and what their headers say.
//!
//! A path is a ledger's directory, a directory that holds segments, or one segment file. One file alone may begin at
//! any row; a directory must hold the log from row 0 on. Nothing else in the directory is read but the file
//! `checkpoint`: indexes, tiles and side files can be rebuilt, so they prove nothing.

use crate::check::CheckId;
use crate::error::VerifyError;
use crate::tally::{Place, Tally};
use crate::words;
use counterfoil_format::Hash;
use counterfoil_format::frame::{FrameError, ReadAt, SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::limits;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The first bytes of a segment.
const MAGIC: &[u8; 8] = b"cfoilseg";
/// Where the salt stands in a segment's header.
const SALT_AT: u64 = 24;
/// Digits of a segment's name.
const DIGITS: usize = 20;

/// The segments under a path, in row order.
#[derive(Debug)]
pub(crate) struct Book {
    pub segments: Vec<Segment>,
    /// Whether one file was named, which may begin at any row.
    pub single: bool,
    /// The ledger's id as the first readable header says it.
    pub ledger_id: Option<Hash>,
    /// The ledger's own checkpoint file, when there is one.
    pub checkpoint: Option<Vec<u8>>,
}

/// A segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub path: PathBuf,
    pub name: String,
    /// Its size when it was found; what is appended later is not looked at.
    pub size: u64,
    /// Its header, or why it has none.
    pub header: Result<SegmentHeader, String>,
    /// The salt of its checksums; from a damaged header as it stands there, so that what lies behind can be read.
    pub salt: Option<[u8; 16]>,
}

impl Book {
    /// Finds the segments under a path.
    pub fn open(path: &Path) -> Result<Self, VerifyError> {
        let metadata = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(VerifyError::Missing(path.to_owned()));
            }
            other => other.map_err(VerifyError::io(path))?,
        };
        let single = !metadata.is_dir();
        let mut segments = if single { vec![Segment::named(path)?] } else { segments_in(path)? };
        segments.sort_by_cached_key(|segment| (segment.order(), segment.name.clone()));
        let headers = segments.iter().filter_map(|segment| segment.header.as_ref().ok());
        let ledger_id = headers.map(|header| header.ledger_id).next();
        let checkpoint = if single { None } else { own_checkpoint(path)? };
        Ok(Book { segments, single, ledger_id, checkpoint })
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// Whether a segment is the last one.
    pub fn is_last(&self, file: u32) -> bool {
        self.segments.len() == file as usize + 1
    }

    /// The row that the log must begin with; `None` when only the log itself can say.
    pub fn begins_at(&self) -> Option<u64> {
        if !self.single {
            return Some(0);
        }
        self.header(0).map(|header| header.first_seq)
    }

    /// The hash of the row before the log begins. One file alone is taken at its word.
    pub fn hash_before(&self) -> Option<Hash> {
        if !self.single {
            return Some(Hash::ZERO);
        }
        self.header(0).map(|header| if header.first_seq == 0 { Hash::ZERO } else { header.previous })
    }

    /// The header of a segment, when it can be read.
    pub fn header(&self, file: u32) -> Option<&SegmentHeader> {
        self.segments.get(file as usize)?.header.as_ref().ok()
    }

    /// V01 of a segment's name and header. `expected` is the row it must begin with.
    pub fn check_header(&self, file: u32, expected: Option<u64>, tally: &mut Tally) {
        let Some(segment) = self.segments.get(file as usize) else { return };
        let place = Place { seq: expected.unwrap_or(0), file, offset: 0 };
        let mut fault = |message| tally.fault(CheckId::V01, place, None, message);
        let header = match &segment.header {
            Ok(header) => header,
            Err(error) => {
                let bare = file > 0 && self.is_last(file) && segment.size <= SEGMENT_HEADER_BYTES as u64;
                let torn = if bare { words::TORN } else { "" };
                return fault(format!("the segment header is damaged: {error}{torn}"));
            }
        };
        match segment.number() {
            Some(number) if number == header.first_seq => {}
            // A single file may have been copied under another name.
            None if self.single => {}
            _ => fault(format!("the file should be called {:020}.seg by its header", header.first_seq)),
        }
        if self.ledger_id.is_some_and(|id| id != header.ledger_id) {
            fault(format!("the segment belongs to another ledger, {}", header.ledger_id));
        }
        match expected {
            Some(expected) if header.first_seq > expected => {
                fault(format!("the segment with rows {expected} to {} is missing", header.first_seq - 1));
            }
            Some(expected) if header.first_seq < expected => {
                fault(format!("the segment begins with row {} where {expected} is next", header.first_seq));
            }
            _ => {}
        }
    }
}

impl Segment {
    /// A file that the caller named: it must at least begin like a segment.
    fn named(path: &Path) -> Result<Self, VerifyError> {
        if !path.is_file() {
            return Err(VerifyError::NotSegment(path.to_owned()));
        }
        let file = File::open(path).map_err(VerifyError::io(path))?;
        let mut magic = [0; MAGIC.len()];
        match file.read_exact_at(0, &mut magic) {
            Ok(()) if magic == *MAGIC => Segment::open(path),
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                Err(VerifyError::io(path)(error))
            }
            _ => Err(VerifyError::NotSegment(path.to_owned())),
        }
    }

    fn open(path: &Path) -> Result<Self, VerifyError> {
        let file = File::open(path).map_err(VerifyError::io(path))?;
        let size = file.size().map_err(VerifyError::io(path))?;
        let header = match SegmentHeader::read(&file) {
            Err(FrameError::Io(error)) => return Err(VerifyError::io(path)(error)),
            Err(FrameError::Version(version)) => {
                return Err(VerifyError::NewerVersion { path: path.to_owned(), version });
            }
            other => other.map_err(|error| error.to_string()),
        };
        let salt = match &header {
            Ok(header) => Some(header.salt),
            Err(_) if size < SEGMENT_HEADER_BYTES as u64 => None,
            Err(_) => {
                let mut salt = [0; 16];
                file.read_exact_at(SALT_AT, &mut salt).map_err(VerifyError::io(path))?;
                Some(salt)
            }
        };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        // The name goes to terminals, and may be anyone's choice.
        let name =
            name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
        Ok(Segment { path: path.to_owned(), name, size, header, salt })
    }

    /// The first row by the file's name.
    fn number(&self) -> Option<u64> {
        let digits = self.name.strip_suffix(".seg")?;
        let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    }

    /// Segments are taken in the order of their headers, so that two files with swapped names are read all the same.
    fn order(&self) -> u64 {
        let first = self.header.as_ref().map(|header| header.first_seq).ok();
        first.or(self.number()).unwrap_or(u64::MAX)
    }
}

/// The segments in the directory's `log/`, else in the directory itself.
fn segments_in(path: &Path) -> Result<Vec<Segment>, VerifyError> {
    for directory in [path.join("log"), path.to_owned()] {
        if !directory.is_dir() {
            continue;
        }
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(VerifyError::io(&directory))? {
            let file = entry.map_err(VerifyError::io(&directory))?.path();
            if file.extension().is_some_and(|extension| extension == "seg") {
                if !file.is_file() {
                    return Err(VerifyError::NotFile(file));
                }
                segments.push(Segment::open(&file)?);
            }
        }
        if !segments.is_empty() {
            return Ok(segments);
        }
    }
    Err(VerifyError::NoSegments(path.to_owned()))
}

/// The ledger's own checkpoint. It may be absent; what stands in its place and cannot be read is an error.
fn own_checkpoint(path: &Path) -> Result<Option<Vec<u8>>, VerifyError> {
    let file = path.join("checkpoint");
    match std::fs::metadata(&file) {
        Ok(metadata) if metadata.is_file() => read_note(&file).map(Some),
        Ok(_) => Err(VerifyError::NotFile(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VerifyError::io(file)(error)),
    }
}

/// Reads a file that should be a note; one byte more than a note may have is enough to refuse it.
pub(crate) fn read_note(path: &Path) -> Result<Vec<u8>, VerifyError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(VerifyError::io(path))?;
    file.take(limits::NOTE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(VerifyError::io(path))?;
    Ok(bytes)
}
