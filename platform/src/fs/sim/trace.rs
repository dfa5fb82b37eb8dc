//! A running hash over the calls on a simulated disk and their results.

use std::path::Path;

#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Self {
        Self { hash: mix(0x76ec_7261_6462_0001, seed) }
    }

    pub(super) fn record(&mut self, op: &str, path: &Path, outcome: u64) {
        let path = of_bytes(path.as_os_str().as_encoded_bytes());
        for word in [of_bytes(op.as_bytes()), path, outcome] {
            self.hash = mix(self.hash, word);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

/// Returns a hash of `bytes`: a fingerprint for telling runs apart, no checksum.
pub(super) fn of_bytes(bytes: &[u8]) -> u64 {
    let mut hash = mix(0, bytes.len() as u64);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash, word.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)));
    }
    mix(hash, words.remainder().iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

pub(super) fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).rotate_left(17).wrapping_add(word)
}
