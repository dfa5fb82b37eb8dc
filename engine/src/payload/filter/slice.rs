//! Slices of the space of ids: a point is in the slice that a hash of its id says, on every machine and in every version the same.

use crate::PointId;

/// One of a number of slices, which are disjoint and hold every point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// How many slices there are; not 0.
    pub total: u64,
    /// Which of them, from 0.
    pub index: u64,
}

impl Slice {
    /// Says whether a point is in the slice.
    #[must_use]
    pub fn contains(&self, id: &PointId) -> bool {
        let hash = match id {
            PointId::Number(number) => hash(&[*number]),
            PointId::Uuid(bytes) => hash(&bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect::<Vec<_>>()),
        };
        hash % self.total == self.index
    }
}

/// SipHash-2-4 with a key of zeros over whole words, which Qdrant's slices are defined by.
fn hash(words: &[u64]) -> u64 {
    let mut state = [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
    let length = (words.len() as u64 * 8) << 56;
    for word in words.iter().copied().chain([length]) {
        state[3] ^= word;
        round(&mut state);
        round(&mut state);
        state[0] ^= word;
    }
    state[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut state));
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn round(state: &mut [u64; 4]) {
    let [a, b, c, d] = state;
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hash_as_elsewhere() {
        for (number, expected) in
            [(0, 0xe849_e8bb_6ffe_2567), (1, 0x8004_c5a6_9410_5f5e), (7, 0xb6ea_513a_7ef6_2bf0), (u64::MAX, 0x8050_c18b_6ac9_d15e)]
        {
            assert_eq!(hash(&[number]), expected, "{number}");
        }
        let slices: Vec<u64> =
            (0..12).filter_map(|id| (0..5).find(|&index| Slice { total: 5, index }.contains(&PointId::Number(id)))).collect();
        assert_eq!(slices, [4, 3, 4, 1, 1, 2, 3, 0, 2, 2, 1, 1]);
        let uuid = PointId::parse("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        assert!(Slice { total: 7, index: 3 }.contains(&uuid));
    }
}
