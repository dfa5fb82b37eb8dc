//! Randomness: the machine's for ids and seeds, and seeded streams for everything that must repeat.

use std::fmt::Debug;

use parking_lot::Mutex;

/// A source of random bytes.
pub trait Random: Send + Sync + Debug {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Returns a random number.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Returns a random UUID (version 4, variant 1).
    fn uuid(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        bytes
    }
}

/// The machine's own randomness.
#[derive(Debug, Default)]
pub struct OsRandom;

impl OsRandom {
    /// Returns the machine's source of randomness.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Random for OsRandom {
    /// # Panics
    ///
    /// Panics if the machine has no randomness to give: an id that may repeat must never be used.
    #[expect(clippy::disallowed_methods, reason = "the door to the machine's randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Randomness that repeats: the same seed and the same calls give the same bytes.
#[derive(Debug)]
pub struct SeededRandom {
    stream: Mutex<Stream>,
}

impl SeededRandom {
    /// Returns the source that `seed` names.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { stream: Mutex::new(Stream::new(seed)) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.stream.lock().fill(bytes);
    }
}

/// A seeded stream of numbers (xoshiro256**, its state filled by splitmix64).
///
/// For simulations, tests and generators; not for secrets.
#[derive(Clone, Debug)]
pub struct Stream {
    state: [u64; 4],
}

impl Stream {
    /// Returns the stream that `seed` names.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut position = seed;
        Self { state: std::array::from_fn(|_| splitmix(&mut position)) }
    }

    /// Returns the next number, uniform over all of u64.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Returns a number below `n`; the bias is below n / 2^64.
    ///
    /// # Panics
    ///
    /// Panics if `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is no number below zero");
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Returns true `numerator` times out of `denominator`.
    ///
    /// # Panics
    ///
    /// Panics if `denominator` is zero.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// Returns a number in 0.0..1.0, one of 2^24 equally spaced ones.
    pub fn unit_f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Returns a normally distributed number with mean 0 and deviation 1.
    pub fn gaussian(&mut self) -> f32 {
        let scale = 1.0 / (1_u64 << 53) as f64;
        // One minus a number in 0..1 is never zero, so its logarithm is finite.
        let radius = 1.0 - (self.next_u64() >> 11) as f64 * scale;
        let angle = (self.next_u64() >> 11) as f64 * scale * std::f64::consts::TAU;
        ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    }

    /// Fills `bytes` from the stream.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

fn splitmix(position: &mut u64) -> u64 {
    *position = position.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *position;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_first_number() {
        assert_eq!(splitmix(&mut 0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn the_same_seed_gives_the_same_stream_and_another_seed_another() {
        let numbers = |seed| {
            let mut stream = Stream::new(seed);
            (0..8).map(|_| stream.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert_eq!(SeededRandom::new(3).uuid(), SeededRandom::new(3).uuid());
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_its_ends() {
        let mut stream = Stream::new(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[usize::try_from(stream.below(5)).unwrap()] = true;
            assert!((0.0..1.0).contains(&stream.unit_f32()));
        }
        assert_eq!(seen, [true; 5]);
    }

    #[test]
    fn gaussian_numbers_have_mean_zero_and_deviation_one() {
        let mut stream = Stream::new(2);
        let numbers: Vec<f64> = (0..20_000).map(|_| f64::from(stream.gaussian())).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }

    #[test]
    fn a_uuid_carries_its_version_and_variant_and_does_not_repeat() {
        let (first, second) = (OsRandom::new().uuid(), OsRandom::new().uuid());
        for uuid in [first, second, SeededRandom::new(9).uuid()] {
            assert_eq!(uuid[6] >> 4, 4);
            assert_eq!(uuid[8] >> 6, 2);
        }
        assert_ne!(first, second);
    }
}
