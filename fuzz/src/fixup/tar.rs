//! Tar archives: the sum of every header (POSIX.1-2017, pax, "ustar Interchange Format").

use super::put;

const BLOCK_LEN: usize = 512;
const SUM_AT: usize = 148;
const SUM_LEN: usize = 8;
const MAGIC: &[u8] = b"ustar\0";
const MAGIC_AT: usize = 257;

/// Makes the sum of every header right, wherever in the bytes one stands.
pub fn repair(bytes: &mut [u8]) {
    let places: Vec<usize> = bytes.windows(MAGIC.len()).enumerate().filter(|(_, found)| *found == MAGIC).map(|(at, _)| at).collect();
    for start in places.iter().filter_map(|at| at.checked_sub(MAGIC_AT)) {
        let Some(block) = bytes.get_mut(start..start + BLOCK_LEN) else { continue };
        block[SUM_AT..SUM_AT + SUM_LEN].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        put(block, SUM_AT, format!("{sum:06o}\0 ").as_bytes());
    }
}
