//! Deletion marks: for each part of each row, the LSN of the record that ended it, kept in memory beside an immutable segment.
//!
//! Pages of marks appear when a row in them dies, so opening a segment builds nothing and a segment without deletes costs no memory.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use index::Bitmap;

use crate::ids::Lsn;

/// The mark of a row that was dead already at the manifest's covered LSN.
pub const DEAD_AT_MANIFEST: Lsn = 1;

/// Rows of one page of marks (32.5 KiB).
const PAGE_ROWS: usize = 4096;

/// The marks of one part of all rows of a segment.
#[derive(Debug)]
pub struct PartMarks {
    rows: u32,
    pages: Box<[OnceLock<Box<Page>>]>,
    live: AtomicU32,
    /// The latest mark; set before the row's bit.
    latest: AtomicU64,
}

/// The marks of some rows, and a bit for each row that has one.
#[derive(Debug)]
struct Page {
    marks: [AtomicU64; PAGE_ROWS],
    dead: [AtomicU64; PAGE_ROWS / 64],
}

impl Page {
    fn new() -> Box<Self> {
        Box::new(Page { marks: [const { AtomicU64::new(0) }; PAGE_ROWS], dead: [const { AtomicU64::new(0) }; PAGE_ROWS / 64] })
    }
}

impl PartMarks {
    /// Starts with all rows unmarked, `present` of which have the part.
    #[must_use]
    pub fn new(rows: u32, present: u32) -> Self {
        assert!(present <= rows, "at most all rows have a part");
        let pages = (rows as usize).div_ceil(PAGE_ROWS);
        PartMarks { rows, pages: (0..pages).map(|_| OnceLock::new()).collect(), live: AtomicU32::new(present), latest: AtomicU64::new(0) }
    }

    /// Gives the mark of a row: 0 while it is alive.
    #[inline]
    #[must_use]
    pub fn get(&self, row: u32) -> Lsn {
        match self.pages[row as usize / PAGE_ROWS].get() {
            Some(page) => page.marks[row as usize % PAGE_ROWS].load(Ordering::Acquire),
            None => 0,
        }
    }

    /// Says whether a row that has the part was not ended for a version that ends at an LSN (exclusive).
    ///
    /// A mark is announced by its bit before the version that it takes the row from is made, so where the bit is not set the mark, which lies
    /// farther from what else is read, need not be looked at.
    #[inline]
    #[must_use]
    pub fn outlives(&self, row: u32, lsn_end: Lsn) -> bool {
        let Some(page) = self.pages[row as usize / PAGE_ROWS].get() else { return true };
        let at = row as usize % PAGE_ROWS;
        if page.dead[at / 64].load(Ordering::Acquire) >> (at % 64) & 1 == 0 {
            return true;
        }
        page.marks[at].load(Ordering::Acquire) >= lsn_end
    }

    /// Marks a row that has the part; the first mark stays. Says whether this one was the first.
    ///
    /// # Panics
    /// When the row does not exist, or its mark is from a later record: records are applied in the order of the log.
    pub fn mark(&self, row: u32, lsn: Lsn) -> bool {
        assert!(row < self.rows, "row {row} of {} cannot be marked", self.rows);
        assert!(lsn >= DEAD_AT_MANIFEST, "0 means alive");
        let page = self.pages[row as usize / PAGE_ROWS].get_or_init(Page::new);
        let at = row as usize % PAGE_ROWS;
        match page.marks[at].compare_exchange(0, lsn, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                self.latest.fetch_max(lsn, Ordering::AcqRel);
                page.dead[at / 64].fetch_or(1 << (at % 64), Ordering::AcqRel);
                let before = self.live.fetch_sub(1, Ordering::AcqRel);
                assert!(before > 0, "more rows died than there were");
                true
            }
            Err(first) => {
                assert!(first <= lsn, "row {row} was ended by the record at {first}, which is later than {lsn}");
                false
            }
        }
    }

    /// Gives the number of rows that have the part and no mark.
    #[must_use]
    pub fn live(&self) -> u32 {
        self.live.load(Ordering::Acquire)
    }

    /// Collects the rows ended by records below an LSN.
    #[must_use]
    pub fn dead_at(&self, covered: Lsn) -> Bitmap {
        let mut words = vec![0; (self.rows as usize).div_ceil(64)];
        let pages = || self.pages.iter().map(OnceLock::get);
        for (page, words) in pages().zip(words.chunks_mut(PAGE_ROWS / 64)) {
            let Some(page) = page else { continue };
            words.iter_mut().zip(&page.dead).for_each(|(word, dead)| *word = dead.load(Ordering::Acquire));
        }
        // A later mark was announced before its bit could be seen: then the marks themselves say which rows count.
        if self.latest.load(Ordering::Acquire) >= covered {
            for (page, words) in pages().zip(words.chunks_mut(PAGE_ROWS / 64)) {
                let Some(page) = page else { continue };
                for (marks, word) in page.marks.as_chunks::<64>().0.iter().zip(words) {
                    let dead = marks.iter().rev().map(|mark| mark.load(Ordering::Acquire)).map(|mark| mark != 0 && mark < covered);
                    *word = dead.fold(0, |word, dead| word << 1 | u64::from(dead));
                }
            }
        }
        Bitmap::from_words(words, self.rows).expect("only rows that exist are marked")
    }

    /// Gives the bytes of memory that the marks take now.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let used = self.pages.iter().filter(|page| page.get().is_some()).count();
        (size_of_val(&*self.pages) + used * size_of::<Page>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mark_stays_and_counts_once() {
        let marks = PartMarks::new(10_000, 9_000);
        assert_eq!((marks.get(9_999), marks.live()), (0, 9_000));
        assert!(marks.mark(9_999, 500));
        assert!(!marks.mark(9_999, 700));
        assert_eq!((marks.get(9_999), marks.live()), (500, 8_999));
        assert!(marks.outlives(9_999, 500) && !marks.outlives(9_999, 501) && marks.outlives(9_998, 501) && marks.outlives(1, 501));
        assert_eq!(marks.dead_at(500).count(), 0);
        assert_eq!(marks.dead_at(501).iter().collect::<Vec<_>>(), [9_999]);
    }

    #[test]
    fn marks_take_memory_only_where_rows_died() {
        let marks = PartMarks::new(1_000_000, 1_000_000);
        let empty = marks.memory_bytes();
        assert!(empty < 8_192, "{empty}");
        marks.mark(77, 100);
        assert_eq!(marks.memory_bytes() - empty, 33_280);
    }

    #[test]
    fn the_rows_dead_at_a_position_are_those_whose_marks_say_so() {
        let marks = PartMarks::new(9_000, 9_000);
        let lsn_of = |row: u32| u64::from(row % 50) * 10 + 100;
        let dying = || (0..9_000).filter(|row| row % 7 == 3);
        dying().for_each(|row| assert!(marks.mark(row, lsn_of(row))));
        for covered in [0, 100, 101, 300, 590, 591, u64::MAX] {
            let wanted: Vec<u32> = dying().filter(|&row| lsn_of(row) < covered).collect();
            assert_eq!(marks.dead_at(covered).iter().collect::<Vec<_>>(), wanted, "at {covered}");
        }
    }

    #[test]
    fn of_many_threads_that_mark_a_row_one_is_first() {
        let marks = PartMarks::new(64, 64);
        let firsts: u32 = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..64).filter(|&row| marks.mark(row, 900)).count() as u32)).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).sum()
        });
        assert_eq!((firsts, marks.live()), (64, 0));
    }

    #[test]
    #[should_panic(expected = "later than")]
    fn a_mark_from_before_the_first_is_a_bug() {
        let marks = PartMarks::new(1, 1);
        marks.mark(0, 800);
        marks.mark(0, 700);
    }
}
