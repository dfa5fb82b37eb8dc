//! A rotation at random that costs `dims log dims`: after it, the signs of any vector tell equally much about all of it.
//!
//! Four rounds, each: flip signs by the seed, transform a block (Walsh-Hadamard) whose length is the largest power of two,
//! at the beginning and at the end in turn, then turn each dimension of the first half with one of the second by 45 degrees.

use crate::draw::Draw;

const ROUNDS: usize = 4;

/// A rotation of vectors padded with zeros to a multiple of 64 dimensions.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    dims: usize,
    /// One factor, 1 or -1, a round and dimension.
    flips: Vec<f32>,
}

/// Dimensions after padding.
pub(crate) fn padded(dims: usize) -> usize {
    dims.next_multiple_of(64)
}

impl Rotation {
    /// The rotation of a seed for vectors of `dims` dimensions.
    pub(crate) fn new(seed: u64, dims: usize) -> Self {
        let dims = padded(dims);
        let mut draw = Draw(seed);
        let mut flips = Vec::with_capacity(ROUNDS * dims);
        while flips.len() < ROUNDS * dims {
            let bits = draw.next();
            flips.extend((0..64).map(|bit| if bits >> bit & 1 == 1 { 1.0_f32 } else { -1.0 }));
        }
        Rotation { dims, flips }
    }

    /// Dimensions after padding.
    pub(crate) fn dims(&self) -> usize {
        self.dims
    }

    /// Rotates a padded vector in place; its length stays what it is.
    pub(crate) fn apply(&self, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dims, "a padded vector");
        let power = 1 << self.dims.ilog2();
        let scale = 1.0 / (power as f32).sqrt();
        for (round, flips) in self.flips.chunks_exact(self.dims).enumerate() {
            vector.iter_mut().zip(flips).for_each(|(value, flip)| *value *= flip);
            let start = if round % 2 == 0 { 0 } else { self.dims - power };
            let block = &mut vector[start..start + power];
            walsh_hadamard(block);
            block.iter_mut().for_each(|value| *value *= scale);
            if power < self.dims {
                turn_halves(vector);
            }
        }
    }
}

/// Sums and differences over every pair of bits of the place; a block grows by the root of its length.
fn walsh_hadamard(block: &mut [f32]) {
    let (quads, _) = block.as_chunks_mut::<4>();
    for [a, b, c, d] in quads {
        let (ab, ba, cd, dc) = (*a + *b, *a - *b, *c + *d, *c - *d);
        (*a, *b, *c, *d) = (ab + cd, ba + dc, ab - cd, ba - dc);
    }
    let mut half = 4;
    while half < block.len() {
        for pair in block.chunks_exact_mut(half * 2) {
            let (left, right) = pair.split_at_mut(half);
            for (a, b) in left.iter_mut().zip(right) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

fn turn_halves(vector: &mut [f32]) {
    let (left, right) = vector.split_at_mut(vector.len() / 2);
    for (a, b) in left.iter_mut().zip(right) {
        (*a, *b) = ((*a + *b) * std::f32::consts::FRAC_1_SQRT_2, (*a - *b) * std::f32::consts::FRAC_1_SQRT_2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_keeps_lengths_and_angles_and_spreads_one_dimension_over_all() {
        for dims in [1, 3, 64, 65, 128, 192, 384, 1000, 1536, 8192] {
            let rotation = Rotation::new(7, dims);
            let size = rotation.dims();
            let (mut a, mut b) = (vec![0.0; size], vec![0.0; size]);
            a[0] = 3.0;
            b[0] = 1.0;
            b[dims - 1] += 2.0;
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let wanted = [dot(&a, &a), dot(&a, &b), dot(&b, &b)];
            rotation.apply(&mut a);
            rotation.apply(&mut b);
            for (found, wanted) in [dot(&a, &a), dot(&a, &b), dot(&b, &b)].into_iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-3, "{dims} dims: {found} and not {wanted}");
            }
            let largest = a.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(largest < 3.0 * 6.0 / (size as f32).sqrt(), "{dims} dims: {largest} in one place");
        }
    }

    #[test]
    fn a_seed_decides_the_rotation() {
        let turned = |seed| {
            let mut vector: Vec<f32> = (0..192).map(|i| i as f32).collect();
            Rotation::new(seed, 192).apply(&mut vector);
            vector
        };
        assert_eq!(turned(1), turned(1));
        assert_ne!(turned(1), turned(2));
    }
}
