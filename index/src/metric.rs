//! What a distance is: the metrics, the datatypes of stored vectors, and normalisation.

use half::f16;

/// Largest number of dimensions that integer code distances can hold without overflow.
pub const MAX_DIMS: usize = 16_384;

/// How two vectors are compared. A *distance* is an `f32`, and smaller is nearer.
///
/// Cosine is [`Metric::Dot`] over vectors that went through [`normalise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The negated inner product.
    Dot,
    /// The squared Euclidean distance.
    L2,
    /// The sum of absolute differences.
    Manhattan,
}

impl Metric {
    /// Every metric, in the order of the kernel tables.
    pub const ALL: [Metric; 3] = [Metric::Dot, Metric::L2, Metric::Manhattan];
}

/// How one dimension of a stored vector is written, always little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// An unsigned byte, its value taken as is.
    U8,
}

impl Datatype {
    /// Every datatype, in the order of the kernel tables.
    pub const ALL: [Datatype; 3] = [Datatype::F32, Datatype::F16, Datatype::U8];

    /// Bytes that one dimension takes in a stored row.
    #[must_use]
    pub const fn bytes_per_dim(self) -> usize {
        match self {
            Datatype::F32 => 4,
            Datatype::F16 => 2,
            Datatype::U8 => 1,
        }
    }

    /// Reads a stored row as floats, exactly.
    ///
    /// # Panics
    ///
    /// When `row` does not hold exactly `out.len()` dimensions.
    pub fn decode(self, row: &[u8], out: &mut [f32]) {
        assert_eq!(row.len(), out.len() * self.bytes_per_dim(), "row length");
        match self {
            Datatype::F32 => {
                for (value, bytes) in out.iter_mut().zip(row.as_chunks::<4>().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
            Datatype::F16 => {
                for (value, bytes) in out.iter_mut().zip(row.as_chunks::<2>().0) {
                    *value = f16::from_le_bytes(*bytes).to_f32();
                }
            }
            Datatype::U8 => {
                for (value, byte) in out.iter_mut().zip(row) {
                    *value = f32::from(*byte);
                }
            }
        }
    }

    /// Appends the stored form of `vector`: rounded to nearest, and for `U8` clamped to 0..=255.
    pub fn encode(self, vector: &[f32], out: &mut Vec<u8>) {
        out.reserve(vector.len() * self.bytes_per_dim());
        for value in vector {
            match self {
                Datatype::F32 => out.extend_from_slice(&value.to_le_bytes()),
                Datatype::F16 => out.extend_from_slice(&f16::from_f32(*value).to_le_bytes()),
                Datatype::U8 => out.push(value.round().clamp(0.0, 255.0) as u8),
            }
        }
    }
}

/// Squared norms this close to 1 count as normalised already, so that normalising twice changes nothing.
const UNIT_TOLERANCE: f64 = 1e-6;

/// Scales `vector` to unit length. A zero vector, one whose norm is not finite, and one whose squared
/// norm is within 1e-6 of 1 stay as they are.
pub fn normalise(vector: &mut [f32]) {
    let squared = squared_norm(vector);
    if squared == 0.0 || !squared.is_finite() || (squared - 1.0).abs() <= UNIT_TOLERANCE {
        return;
    }
    let norm = squared.sqrt();
    for value in vector {
        *value = (f64::from(*value) / norm) as f32;
    }
}

/// Summed in eight lanes, which compilers keep in vector registers.
fn squared_norm(vector: &[f32]) -> f64 {
    let (groups, rest) = vector.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for group in groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_twice_changes_nothing() {
        let mut vector: Vec<f32> = (0..384_u16).map(|i| f32::from(i) - 190.0).collect();
        normalise(&mut vector);
        let once = vector.clone();
        normalise(&mut vector);
        assert_eq!(once, vector);
        let squared: f32 = vector.iter().map(|v| v * v).sum();
        assert!((squared - 1.0).abs() < 1e-5, "squared norm {squared}");
    }

    #[test]
    fn a_zero_vector_stays_zero() {
        let mut vector = vec![0.0; 7];
        normalise(&mut vector);
        assert_eq!(vector, vec![0.0; 7]);
    }

    #[test]
    fn very_small_and_very_large_vectors_become_unit_vectors() {
        for scale in [1e-30_f32, 1e30] {
            let mut vector = vec![3.0 * scale, 4.0 * scale];
            normalise(&mut vector);
            assert!((vector[0] - 0.6).abs() < 1e-6 && (vector[1] - 0.8).abs() < 1e-6, "{vector:?}");
        }
    }

    #[test]
    fn rows_read_back_what_was_written() {
        let vector = [0.0, 1.0, 37.0, 255.0];
        for datatype in Datatype::ALL {
            let mut row = Vec::new();
            datatype.encode(&vector, &mut row);
            assert_eq!(row.len(), vector.len() * datatype.bytes_per_dim());
            let mut back = [0.0; 4];
            datatype.decode(&row, &mut back);
            assert_eq!(vector, back, "{datatype:?}");
        }
    }
}
