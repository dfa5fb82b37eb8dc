//! Answers about rows that are found one by one and remembered, by many threads at once.

use std::sync::atomic::{AtomicU64, Ordering};

use index::Bitmap;

/// For each of some rows: open, or whether it passes. Answers never change, so threads that find the same one do not disturb each other.
#[derive(Debug)]
pub(in crate::collection) struct Memo {
    rows: u32,
    /// Rows without an answer; a row's bit is cleared after its answer was written.
    open: Box<[AtomicU64]>,
    passed: Box<[AtomicU64]>,
}

impl Memo {
    /// Starts with these rows open; the others do not pass.
    pub(super) fn new(open: &Bitmap) -> Self {
        Memo {
            rows: open.len(),
            open: open.words().iter().map(|word| AtomicU64::new(*word)).collect(),
            passed: open.words().iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Gives the answer about a row, `None` while it is open.
    pub(super) fn get(&self, row: u32) -> Option<bool> {
        let (word, bit) = (row as usize / 64, row % 64);
        let is_set = |words: &[AtomicU64]| words[word].load(Ordering::Acquire) >> bit & 1 == 1;
        if is_set(&self.open) { None } else { Some(is_set(&self.passed)) }
    }

    /// Writes the answer about an open row.
    pub(super) fn set(&self, row: u32, passes: bool) {
        let (word, bit) = (row as usize / 64, row % 64);
        self.passed[word].fetch_or(u64::from(passes) << bit, Ordering::AcqRel);
        self.open[word].fetch_and(!(1 << bit), Ordering::AcqRel);
    }

    /// Gives the rows that pass and those that are open.
    pub(super) fn sets(&self) -> (Bitmap, Bitmap) {
        // Open first: a row that gets its answer in between is in both, and then it passes.
        let read = |words: &[AtomicU64]| words.iter().map(|word| word.load(Ordering::Acquire)).collect();
        let open: Vec<u64> = read(&self.open);
        let passed: Vec<u64> = read(&self.passed);
        let set = |words| Bitmap::from_words(words, self.rows).expect("words of a set of these rows");
        let (passed, mut open) = (set(passed), set(open));
        open.and_not(&passed);
        (passed, open)
    }

    /// Gives how many rows are open and how many pass.
    pub(super) fn counts(&self) -> (u32, u32) {
        let count = |words: &[AtomicU64]| words.iter().map(|word| word.load(Ordering::Acquire).count_ones()).sum();
        (count(&self.open), count(&self.passed))
    }

    /// Gives the bytes that it takes.
    pub(super) fn memory_bytes(&self) -> u64 {
        16 * self.open.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_and_what_was_not_asked_stays_open() {
        let mut open = Bitmap::new(200);
        [0, 63, 64, 130, 199].into_iter().for_each(|row| open.set(row, true));
        let memo = Memo::new(&open);
        assert_eq!((memo.get(1), memo.get(63)), (Some(false), None), "a row that is not asked about does not pass");
        memo.set(63, true);
        memo.set(64, false);
        assert_eq!((memo.get(63), memo.get(64), memo.get(130)), (Some(true), Some(false), None));
        let (passed, open) = memo.sets();
        assert_eq!((passed.iter().collect::<Vec<_>>(), open.iter().collect::<Vec<_>>()), (vec![63], vec![0, 130, 199]));
        assert_eq!(memo.counts(), (3, 1));
    }

    #[test]
    fn threads_that_answer_at_once_agree() {
        let memo = Memo::new(&Bitmap::full(1000));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|row| memo.set(row, row % 3 == 0)));
            }
        });
        let (passed, open) = memo.sets();
        assert!(open.is_clear() && passed.iter().eq((0..1000).step_by(3)));
    }
}
