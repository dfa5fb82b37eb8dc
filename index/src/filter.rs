//! Sets of rows as bitmaps: what a filter accepts, what a delete hides.

/// A set of `u32` rows below a fixed length, one bit a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: u32,
}

impl Bitmap {
    /// An empty set over the rows `0..len`.
    #[must_use]
    pub fn new(len: u32) -> Self {
        Bitmap { words: vec![0; word_count(len)], len }
    }

    /// The set of all rows `0..len`.
    #[must_use]
    pub fn full(len: u32) -> Self {
        let mut map = Bitmap { words: vec![u64::MAX; word_count(len)], len };
        map.clear_beyond_len();
        map
    }

    /// Reads what [`Bitmap::to_bytes`] wrote: `None` when the length does not fit `len` rows or a bit
    /// beyond them is set.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], len: u32) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        Bitmap::from_words(words.iter().map(|w| u64::from_le_bytes(*w)).collect(), len)
    }

    /// Takes words as a set: bit `i` of word `j` is row `64 j + i`. `None` when their number does not fit `len` rows or a bit beyond
    /// them is set.
    #[must_use]
    pub fn from_words(words: Vec<u64>, len: u32) -> Option<Self> {
        let beyond = words.last().is_some_and(|last| !len.is_multiple_of(64) && *last >> (len % 64) != 0);
        (words.len() == word_count(len) && !beyond).then_some(Bitmap { words, len })
    }

    /// The set as words; see [`Bitmap::from_words`].
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words of the set, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Number of rows the set speaks of, in it or not.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// True when the set speaks of no rows at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `row` in the set (`true`) or out of it.
    ///
    /// # Panics
    ///
    /// When `row` is not below the length.
    pub fn set(&mut self, row: u32, present: bool) {
        assert!(row < self.len, "row {row} of a bitmap of {}", self.len);
        let bit = 1_u64 << (row % 64);
        let word = &mut self.words[(row / 64) as usize];
        if present {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    /// True when `row` is in the set; rows beyond the length never are.
    #[must_use]
    pub fn get(&self, row: u32) -> bool {
        // Bits beyond the length are kept clear, so the word's own bound is enough.
        self.words.get((row / 64) as usize).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Number of rows in the set.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Keeps the rows that are in `other` too.
    ///
    /// # Panics
    ///
    /// When the lengths differ; so do [`Bitmap::or`] and [`Bitmap::and_not`].
    pub fn and(&mut self, other: &Bitmap) {
        self.combine(other, |a, b| a & b);
    }

    /// Adds the rows of `other`.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn or(&mut self, other: &Bitmap) {
        self.combine(other, |a, b| a | b);
    }

    /// Takes the rows of `other` out.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn and_not(&mut self, other: &Bitmap) {
        self.combine(other, |a, b| a & !b);
    }

    /// True when no row is in the set.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The rows in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let base = index as u32 * 64;
            let mut left = *word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let row = base + left.trailing_zeros();
                    left &= left - 1;
                    row
                })
            })
        })
    }

    fn combine(&mut self, other: &Bitmap, op: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "bitmaps over different rows");
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine = op(*mine, *theirs);
        }
    }

    fn clear_beyond_len(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

fn word_count(len: u32) -> usize {
    len.div_ceil(64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn every_third(len: u32) -> Bitmap {
        let mut map = Bitmap::new(len);
        (0..len).step_by(3).for_each(|row| map.set(row, true));
        map
    }

    #[test]
    fn a_bitmap_answers_like_a_set() {
        for len in [0, 1, 63, 64, 65, 200] {
            let thirds = every_third(len);
            let wanted: BTreeSet<u32> = (0..len).step_by(3).collect();
            assert_eq!(thirds.iter().collect::<BTreeSet<_>>(), wanted);
            assert_eq!(thirds.count() as usize, wanted.len());
            assert_eq!(Bitmap::full(len).count(), len);
            assert!(!Bitmap::full(len).get(len), "beyond the length");

            let mut rest = Bitmap::full(len);
            rest.and_not(&thirds);
            assert_eq!(rest.count(), len - thirds.count());
            let mut both = rest.clone();
            both.and(&thirds);
            assert_eq!(both.count(), 0);
            rest.or(&thirds);
            assert_eq!(rest, Bitmap::full(len));
        }
    }

    #[test]
    fn bytes_read_back_and_bad_bytes_are_refused() {
        let map = every_third(100);
        let bytes = map.to_bytes();
        assert_eq!(Bitmap::from_bytes(&bytes, 100), Some(map));
        assert_eq!(Bitmap::from_bytes(&bytes[..15], 100), None);
        assert_eq!(Bitmap::from_bytes(&bytes, 200), None);
        assert_eq!(Bitmap::from_bytes(&[0xff; 16], 100), None, "bits beyond the length");
        assert_eq!(Bitmap::from_bytes(&[0xff; 16], 128), Some(Bitmap::full(128)));
        assert_eq!(Bitmap::from_bytes(&[], 0), Some(Bitmap::new(0)));
        assert!(Bitmap::new(100).is_clear() && !Bitmap::full(1).is_clear());
    }
}
