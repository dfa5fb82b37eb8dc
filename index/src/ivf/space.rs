//! The space that lists live in: centred, scaled and rotated, so that a centre fits a byte a dimension.

use crate::codes::CodesView;
use crate::metric::Metric;
use crate::one_bit::rotation::Rotation;

/// Largest absolute value of a dimension of a centre.
pub(super) const REACH: f32 = 127.0;

/// Beyond this a value is cut: squares of sums stay finite.
const VALUE_MAX: f32 = 1e12;

/// How vectors are brought into the space.
#[derive(Clone, Debug)]
pub(super) struct Space {
    /// Whether distances are inner products; Euclidean otherwise.
    pub(super) dot: bool,
    /// Dimensions of the vectors.
    pub(super) dims: usize,
    pub(super) rotation: Rotation,
    /// What is taken off each dimension of a vector before anything else; 0 for inner products.
    pub(super) origin: f32,
    /// What a difference of 1 in the space is worth in the vectors.
    pub(super) unit: f32,
    /// The mean of the rotated vectors, in units.
    pub(super) mean: Vec<f32>,
}

impl Space {
    /// A space for the vectors that `codes` are of, not yet centred and scaled.
    pub(super) fn raw(codes: &CodesView<'_>, seed: u64) -> Self {
        let (centre, step) = codes.params().centre_and_step();
        let dot = codes.params().metric() == Metric::Dot;
        let rotation = Rotation::new(seed, codes.dims());
        let mean = vec![0.0; rotation.dims()];
        Space { dot, dims: codes.dims(), rotation, origin: if dot { 0.0 } else { centre }, unit: step, mean }
    }

    /// Dimensions in the space.
    pub(super) fn padded(&self) -> usize {
        self.rotation.dims()
    }

    /// Brings a row of codes into the space.
    pub(super) fn place_row(&self, codes: &CodesView<'_>, row: u32, out: &mut [f32]) {
        let (centre, step) = codes.params().centre_and_step();
        let (offset, step) = (cut((centre - self.origin) / self.unit), cut(step / self.unit));
        let code = codes.rows().row(row);
        for (value, code) in out.iter_mut().zip(&code[..self.dims]) {
            *value = (f32::from(*code) - 128.0) * step + offset;
        }
        self.turn(out);
        self.centre(out);
    }

    /// Brings a query into the space. For inner products it is not centred: they are not the same from another origin.
    pub(super) fn place_query(&self, query: &[f32], out: &mut [f32]) {
        assert_eq!(query.len(), self.dims, "dimensions of the query");
        for (value, given) in out.iter_mut().zip(query) {
            *value = cut((given - self.origin) / self.unit);
        }
        self.turn(out);
        if !self.dot {
            self.centre(out);
        }
    }

    fn turn(&self, out: &mut [f32]) {
        out[self.dims..].fill(0.0);
        self.rotation.apply(out);
    }

    fn centre(&self, out: &mut [f32]) {
        out.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value -= mean);
    }
}

/// A finite value that is not too large; NaN gives 0.
fn cut(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-VALUE_MAX, VALUE_MAX) }
}
