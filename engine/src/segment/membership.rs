//! The membership filter of a segment's ids: a blocked Bloom filter, used from the bytes it is stored in.
//!
//! An id sets six bits of one 64-byte block, so a look-up costs one cache line. The hash is part of the format: see [`id_hash`].

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::ids::PointId;

/// Bytes of a block: one cache line.
pub const BLOCK_LEN: usize = 64;
/// Bits of filter for each id.
pub const BITS_PER_ID: usize = 10;
/// Bits that an id sets in its block.
pub const PROBES: u32 = 6;
/// Begins the hash, so that it differs from other uses of the same mixing.
const SEED: u64 = 0x5645_4354_5241_4442;

/// Builds the filter of some ids.
#[must_use]
pub fn build<'a>(ids: impl ExactSizeIterator<Item = &'a PointId>) -> Vec<u8> {
    let blocks = (ids.len() * BITS_PER_ID).div_ceil(BLOCK_LEN * 8);
    let mut bytes = vec![0; blocks * BLOCK_LEN];
    for id in ids {
        let (block, bits) = place(id, blocks);
        let block = &mut bytes[block * BLOCK_LEN..][..BLOCK_LEN];
        for bit in bits {
            block[bit / 8] |= 1 << (bit % 8);
        }
    }
    bytes
}

/// A filter in its stored bytes.
#[derive(Debug, Clone)]
pub struct Membership {
    bytes: Bytes,
    blocks: usize,
}

impl Membership {
    /// Opens a filter.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not whole blocks.
    pub fn open(bytes: Bytes) -> Result<Self> {
        if !bytes.len().is_multiple_of(BLOCK_LEN) {
            let error = Error::corrupt("the membership filter is not a number of whole blocks");
            return Err(error.with_expected(format!("a multiple of {BLOCK_LEN} bytes"), bytes.len()));
        }
        Ok(Membership { blocks: bytes.len() / BLOCK_LEN, bytes })
    }

    /// Says `false` only when the id is not among those the filter was built from.
    #[must_use]
    pub fn may_contain(&self, id: &PointId) -> bool {
        if self.blocks == 0 {
            return false;
        }
        let (block, mut bits) = place(id, self.blocks);
        let block = &self.bytes[block * BLOCK_LEN..][..BLOCK_LEN];
        bits.all(|bit| block[bit / 8] >> (bit % 8) & 1 == 1)
    }
}

/// Gives the block of an id and its bits there.
fn place(id: &PointId, blocks: usize) -> (usize, impl Iterator<Item = usize>) {
    let hash = id_hash(id);
    let block = ((u128::from(hash) * blocks as u128) >> 64) as usize;
    let bits = mix(hash);
    (block, (0..PROBES).map(move |probe| (bits >> (9 * probe)) as usize % (BLOCK_LEN * 8)))
}

/// Hashes an id to 64 bits; fixed by the format.
#[must_use]
pub fn id_hash(id: &PointId) -> u64 {
    match id {
        PointId::Number(number) => mix(number ^ SEED),
        PointId::Uuid(bytes) => {
            let value = u128::from_be_bytes(*bytes);
            mix(mix((value >> 64) as u64 ^ SEED) ^ value as u64 ^ 1)
        }
    }
}

/// The finishing step of splitmix64 over a golden-ratio increment: every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(number: u64) -> PointId {
        PointId::Uuid((u128::from(mix(number)) << 64 | u128::from(number)).to_be_bytes())
    }

    #[test]
    fn no_member_is_missed_and_few_strangers_pass() {
        for make in [PointId::Number as fn(u64) -> PointId, uuid] {
            let ids: Vec<PointId> = (0..20_000).map(make).collect();
            let filter = Membership::open(build(ids.iter()).into()).unwrap();
            assert!(ids.iter().all(|id| filter.may_contain(id)));
            let strangers = (20_000..120_000).filter(|&n| filter.may_contain(&make(n))).count();
            assert!(strangers < 2_000, "{strangers} of 100,000 strangers pass: above 2%");
        }
    }

    #[test]
    fn the_hash_is_fixed_by_the_format() {
        assert_eq!(id_hash(&PointId::Number(1)), 0x27e4_fdd4_0425_4124);
        assert_eq!(id_hash(&PointId::Uuid([7; 16])), 0x81a8_cf30_73de_d793);
    }

    #[test]
    fn a_filter_of_nothing_or_of_broken_length_is_safe() {
        assert!(!Membership::open(Bytes::new()).unwrap().may_contain(&PointId::Number(3)));
        assert!(Membership::open(vec![0xff; 63].into()).is_err());
    }
}
