//! Files that end within a line, or were written over.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::*;
use crate::metering::{line, segment};

/// The file of a process that is dead, in the folder of all.
pub(super) fn left_behind(dir: &Path, bytes: &[u8]) -> PathBuf {
    let folder = dir.join("dead");
    fs::create_dir_all(&folder).expect("made");
    let path = segment::path(&folder, 1);
    fs::write(&path, bytes).expect("written");
    path
}

pub(super) fn lines(events: &[UsageEvent]) -> Vec<u8> {
    let mut bytes = Vec::new();
    events.iter().for_each(|event| line::write(&mut bytes, event).expect("JSON"));
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_cut_and_the_rest_arrives() {
    let world = World::new();
    let bytes = lines(&[event(1), event(2), event(3)]);
    let path = left_behind(world.dir.path(), &bytes[..bytes.len() - 10]);
    let meter = world.meter().await;
    until("the replay", || world.ledger.output_tokens() == [1, 2]).await;
    until("the end of the file", || !path.exists()).await;
    assert_eq!((meter.status().unreadable_lines, meter.status().pending_rows), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_line_is_told_and_kept_and_the_others_arrive() {
    let world = World::new();
    let mut bytes = lines(&[event(1), event(2), event(3)]);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Whole, and of a program that writes something else.
    let json = br#"{"version":"later"}"#;
    bytes.extend_from_slice(format!("{:08x} ", crc32fast::hash(json)).as_bytes());
    bytes.extend_from_slice(json);
    bytes.push(b'\n');
    let path = left_behind(world.dir.path(), &bytes);
    let meter = world.meter().await;
    until("the replay", || world.ledger.output_tokens() == [1, 3]).await;
    until("the end of the file", || !path.exists()).await;
    assert_eq!((meter.status().unreadable_lines, meter.status().pending_rows), (2, 0));
    let kept = world.dir.path().join("dead-0000000000000001.wal.unreadable");
    assert_eq!(fs::read(kept).expect("kept"), bytes);
}

/// All slices of a file, one after another.
fn read_all(bytes: &[u8]) -> (Vec<u32>, u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = segment::path(dir.path(), 1);
    fs::write(&path, bytes).expect("written");
    let (mut from, to) = (0, bytes.len() as u64);
    let (mut read, mut torn) = (Vec::new(), 0);
    while from < to {
        let slice = segment::read(&path, from, to).expect("read");
        assert!(slice.end > from && slice.events.len() <= segment::BATCH_ROWS);
        read.extend(slice.events.iter().map(|event| event.output_tokens));
        torn += slice.torn_bytes;
        from = slice.end;
    }
    (read, torn)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_file_cut_anywhere_gives_its_whole_lines(rows in 1..1_200u32, cut in any::<prop::sample::Index>()) {
        let bytes = lines(&(0..rows).map(event).collect::<Vec<_>>());
        let cut = cut.index(bytes.len() + 1);
        let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count() as u32;
        let after_last = bytes[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (read, torn) = read_all(&bytes[..cut]);
        prop_assert_eq!(read, (0..whole).collect::<Vec<_>>());
        prop_assert_eq!(torn, (cut - after_last) as u64);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(read_all(&bytes).0, Vec::<u32>::new());
    }
}

#[test]
fn a_long_stretch_without_a_line_is_passed() {
    let mut bytes = vec![0; 700 << 10];
    bytes.push(b'\n');
    bytes.extend(lines(&[event(1)]));
    assert_eq!(read_all(&bytes), (vec![1], 0));
}
