//! Promises of lazy files, below the collections that they belong to.

use platform::fs::{FileSystem, OpenMode, OsFileSystem};

use super::*;
use crate::log::LogFileName;
use crate::log::record::{GRANULE, RecordDraft, RecordKind, SectionKind};
use crate::log::sealed::SealedFile;

const TIMELINE: Timeline = Timeline([7; 16]);

/// Gives bytes of the log from memory; the log begins at 0.
#[derive(Debug)]
struct Memory {
    bytes: Bytes,
    asked: Mutex<Vec<Range<Lsn>>>,
}

impl RangeSource for Memory {
    fn fetch(&self, timeline: Timeline, from: Lsn, to: Lsn) -> Result<Bytes> {
        assert_eq!(timeline, TIMELINE);
        self.asked.lock().push(from..to);
        Ok(self.bytes.slice(from as usize..to as usize))
    }
}

/// A lazy file on a real disk, whose mapping shows what is written.
struct Fixture {
    _directory: tempfile::TempDir,
    source: Arc<Memory>,
    file: SealedFile,
}

impl Fixture {
    fn new(bytes: Vec<u8>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let name = LogFileName { start: 0, timeline: TIMELINE };
        let fs = OsFileSystem::new();
        let sealed = SealedName { name, end: bytes.len() as u64 };
        let file = fs.open(&name.path(directory.path()), OpenMode::CreateNew).unwrap();
        file.write_all_at(&name.header(), 0).unwrap();
        file.set_len(name.offset(sealed.end)).unwrap();
        let source = Arc::new(Memory { bytes: Bytes::from(bytes), asked: Mutex::new(Vec::new()) });
        let lazy = LazySource { ranges: source.clone(), guide: None };
        let file = SealedFile::open_lazy(&fs, directory.path(), sealed, &lazy, true).unwrap();
        Fixture { _directory: directory, source, file }
    }

    fn residency(&self) -> &Residency {
        self.file.lazy().unwrap().residency()
    }

    fn blocks(&self, wanted: &[Range<u64>]) -> Vec<Range<u64>> {
        let ranges: Vec<_> = wanted.iter().map(|blocks| blocks.start * BLOCK..blocks.end * BLOCK).collect();
        let runs = self.residency().missing(&ranges);
        runs.into_iter().map(|run| run.start / BLOCK..run.end.div_ceil(BLOCK)).collect()
    }
}

#[test]
fn few_runs_are_asked_for_small_gaps_are_fetched_with_them_and_no_run_is_too_long() {
    let fixture = Fixture::new(vec![1; 300 * BLOCK as usize - 64]);
    assert_eq!(fixture.blocks(&[5..6, 2..3, 7..8, 10..11]), [2..3, 5..8, 10..11]);
    let most = RUN_MAX / BLOCK;
    assert_eq!(fixture.blocks(std::slice::from_ref(&(0..299))), [0..most, most..2 * most, 2 * most..299]);
}

#[test]
fn reading_on_behind_what_is_here_reads_ahead_and_reading_here_and_there_does_not() {
    let fixture = Fixture::new(vec![1; 32 * BLOCK as usize]);
    drop(fixture.residency().piece(&(10 * BLOCK..10 * BLOCK + 64)).unwrap());
    drop(fixture.residency().piece(&(20 * BLOCK + 64..20 * BLOCK + 128)).unwrap());
    drop(fixture.residency().piece(&(11 * BLOCK - 64..11 * BLOCK + 64)).unwrap());
    let asked = fixture.source.asked.lock().clone();
    assert_eq!(asked, [10 * BLOCK..11 * BLOCK, 20 * BLOCK..21 * BLOCK, 11 * BLOCK..15 * BLOCK]);
}

#[test]
fn bytes_that_a_reader_may_hold_are_never_written_again() {
    let fixture = Fixture::new(vec![1; 4 * BLOCK as usize]);
    let residency = fixture.residency();
    let range = 0..2 * BLOCK;
    let held = match residency.piece(&range).unwrap() {
        Piece::Shown(bytes) => bytes,
        Piece::Loose(_) => panic!("a real disk shows what is written"),
    };
    residency.take_in(&(0..3 * BLOCK), &Bytes::from(vec![2; 3 * BLOCK as usize]));
    assert!(held.iter().all(|&byte| byte == 1));
    assert_eq!(residency.shown(&(2 * BLOCK..3 * BLOCK)).unwrap()[0], 2, "the block that was new");
    residency.doubt(&(0..64));
    assert!(residency.shown(&range).is_none() && residency.is_spoiled());
    residency.take_in(&(0..BLOCK), &Bytes::from(vec![3; BLOCK as usize]));
    assert!(held.iter().all(|&byte| byte == 1));
    assert_eq!(residency.piece(&range).unwrap()[..2], [3, 3], "what came again is served from memory");
    assert_eq!(residency.unwritten_bytes(), 2 * BLOCK, "the doubted block and the last");
}

#[test]
fn a_head_in_the_middle_of_a_vector_is_not_taken_for_one() {
    let draft = |vectors: Vec<u8>| {
        let mut draft = RecordDraft::new(RecordKind::Upsert, 1);
        draft.section(SectionKind::Vectors, 1, 0, 1, vectors);
        draft
    };
    let encode = |draft: &RecordDraft, lsn: Lsn, out: &mut Vec<u8>| draft.encode(lsn, 5, 0, TIMELINE, out);
    // Where the vectors of a record at 0 begin follows from its length.
    let len = 3 * GRANULE as usize;
    let start = draft(vec![0; len]).record_len() - len;
    // A vector that is, byte for byte, a record at its own position.
    let mut vectors = vec![0x41; len];
    let (mut inner, at) = (Vec::new(), GRANULE as usize);
    encode(&draft(vec![0x42; 256]), (start + at) as u64, &mut inner);
    vectors[at..at + inner.len()].copy_from_slice(&inner);
    let mut log = Vec::new();
    encode(&draft(vectors.clone()), 0, &mut log);
    let end = log.len() as u64;
    encode(&draft(vec![0x43; 512]), end, &mut log);
    let fixture = Fixture::new(log);
    let lazy = fixture.file.lazy().unwrap();
    let inside = (start + at + inner.len() - 256) as u64;
    assert_eq!(lazy.vector(inside, 256).unwrap(), &[0x42; 256], "the vector's bytes, checked by its own record");
    assert_eq!(lazy.vector((start + len - 64) as u64, 64).unwrap(), &[0x41; 64]);
    let second = end + (draft(vec![0; 512]).record_len() - 512) as u64;
    assert_eq!(lazy.vector(second, 512).unwrap(), &[0x43; 512]);
    assert!(lazy.vector(second - 64, 64).is_err(), "a head is no vector");
    assert_eq!(fixture.file.record(end).unwrap().head.lsn, end);
}
