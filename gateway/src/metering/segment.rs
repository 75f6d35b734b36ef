//! One write-ahead file: events in lines, only ever appended to. Read in slices, each as large as a batch for the database.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use tenora_adapter_store::UsageEvent;

use super::line::{self, Line};

/// A file that is longer takes no more lines.
pub(super) const SEGMENT_BYTES: u64 = 1 << 20;
/// Rows that go to the database at once: some milliseconds of its work, behind which requests wait where it shares their
/// processor. With many more, one request in a hundred felt it.
pub(super) const BATCH_ROWS: usize = 100;

const EXTENSION: &str = "wal";
/// Somewhat more than a batch of usual lines, and far more than the longest line.
const SLICE_BYTES: u64 = 64 << 10;

/// The place of a folder's nth file; names sort by number.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.{EXTENSION}"))
}

/// A folder's files, oldest first.
pub(super) fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The length of a file that nobody writes any more, and its lines.
pub(super) fn measure(path: &Path) -> io::Result<(u64, u64)> {
    let bytes = std::fs::read(path)?;
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    Ok((bytes.len() as u64, lines as u64))
}

/// Some lines of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Slice {
    /// What they say.
    pub(super) events: Vec<UsageEvent>,
    /// Lines that were passed, readable or not.
    pub(super) lines: u64,
    /// Lines whose checksum is wrong; nothing can be read from them any more.
    pub(super) damaged: u64,
    /// Lines of another program's making.
    pub(super) foreign: u64,
    /// Bytes at the very end that are no whole line: their writer died within it.
    pub(super) torn_bytes: u64,
    /// Where the next slice begins.
    pub(super) end: u64,
}

/// Reads on at `from`, to `to` at most.
pub(super) fn read(path: &Path, from: u64, to: u64) -> io::Result<Slice> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let wanted = to.saturating_sub(from).min(SLICE_BYTES);
    let mut bytes = Vec::new();
    file.take(wanted).read_to_end(&mut bytes)?;
    let mut slice = Slice { end: from, ..Slice::default() };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        slice.lines += 1;
        slice.end += line.len() as u64 + 1;
        match line::read(line) {
            Line::Event(event) => slice.events.push(*event),
            Line::Damaged => slice.damaged += 1,
            Line::Foreign => slice.foreign += 1,
        }
        if slice.events.len() == BATCH_ROWS {
            return Ok(slice);
        }
    }
    // A file that is shorter than it was is read no further.
    let rest = from + bytes.len() as u64 - slice.end;
    if from + bytes.len() as u64 == to || (bytes.len() as u64) < wanted {
        slice.torn_bytes = rest;
        slice.end = to;
    } else if slice.lines == 0 {
        slice.damaged = 1;
        slice.end += rest;
    }
    Ok(slice)
}
