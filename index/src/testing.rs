//! Seeded data for the tests of this crate.

use crate::draw::Draw;

/// A stream of numbers that one seed decides.
pub(crate) struct Stream(Draw);

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Stream(Draw(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// Uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// About normal: mean 0, deviation 1.
    pub(crate) fn gaussian(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}
