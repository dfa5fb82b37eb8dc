//! A digest of points that does not depend on their order: two collections have the same one when they hold the same ids, vectors and payloads.

use engine::codec::checksum::{HASH_LEN, Hash, Hasher};
use engine::collection::{PointView, Version};
use engine::error::{Error, Result};

/// Points between two looks at whether to stop.
const LOOK_EVERY: u64 = 1_024;

/// What a collection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Points.
    pub points: u64,
    /// Those of them with a payload.
    pub points_with_payload: u64,
    /// The digest of all of them.
    pub digest: Hash,
}

/// Gives the digest of a point: its id, its payload as text, its vectors as stored.
#[must_use]
pub fn digest_of(point: &PointView) -> Hash {
    let mut hasher = Hasher::new();
    // Each part behind its length: no two points share their bytes.
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    add(point.id.to_string().as_bytes());
    add(point.payload.as_deref().unwrap_or_default().as_bytes());
    let mut bytes = Vec::new();
    for (name, vector) in &point.vectors {
        add(name.as_bytes());
        bytes.clear();
        bytes.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
        add(&bytes);
    }
    hasher.finish()
}

/// Goes through every point. `stopped` is asked now and then, and gives the reason to end.
///
/// # Errors
/// `Corrupt` when the log does not hold what was written; what `stopped` gives.
pub fn content_of(version: &Version, stopped: &dyn Fn() -> Option<Error>) -> Result<Content> {
    let mut sum = Sum::default();
    let (mut points, mut points_with_payload) = (0_u64, 0_u64);
    version.for_each_point(true, &mut |point| {
        if points.is_multiple_of(LOOK_EVERY)
            && let Some(reason) = stopped()
        {
            return Err(reason);
        }
        points += 1;
        points_with_payload += u64::from(point.payload.is_some());
        sum.add(&digest_of(&point));
        Ok(())
    })?;
    Ok(Content { points, points_with_payload, digest: sum.finish(points) })
}

/// Digests added up, as numbers of 256 bits that wrap around: the order does not matter, and a point that is there twice counts twice.
#[derive(Debug, Default)]
struct Sum([u8; HASH_LEN]);

impl Sum {
    fn add(&mut self, digest: &Hash) {
        let mut carry = 0;
        for (byte, other) in self.0.iter_mut().zip(digest.0) {
            let sum = u16::from(*byte) + u16::from(other) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
    }

    fn finish(&self, points: u64) -> Hash {
        let mut hasher = Hasher::new();
        hasher.update(&points.to_le_bytes());
        hasher.update(&self.0);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::PointId;

    fn point(id: u64, payload: Option<&str>, vectors: &[(&str, &[f32])]) -> PointView {
        let vectors = vectors.iter().map(|(name, vector)| ((*name).to_owned(), vector.to_vec())).collect();
        PointView { id: PointId::Number(id), payload: payload.map(str::to_owned), vectors }
    }

    fn sum_of(points: &[PointView]) -> Hash {
        let mut sum = Sum::default();
        points.iter().for_each(|point| sum.add(&digest_of(point)));
        sum.finish(points.len() as u64)
    }

    #[test]
    fn the_order_of_the_points_does_not_matter_and_each_of_their_parts_does() {
        let (a, b) = (point(1, Some("{\"n\":1}"), &[("", &[1.0, 2.0])]), point(2, None, &[("", &[0.5, 2.0])]));
        let both = sum_of(&[a.clone(), b.clone()]);
        assert_eq!(both, sum_of(&[b.clone(), a.clone()]));
        let others = [
            point(3, Some("{\"n\":1}"), &[("", &[1.0, 2.0])]),
            point(1, Some("{\"n\":2}"), &[("", &[1.0, 2.0])]),
            point(1, None, &[("", &[1.0, 2.0])]),
            point(1, Some("{\"n\":1}"), &[("", &[1.0, -2.0])]),
            point(1, Some("{\"n\":1}"), &[("v", &[1.0, 2.0])]),
            point(1, Some("{\"n\":1}"), &[]),
        ];
        for other in others {
            assert_ne!(both, sum_of(&[other.clone(), b.clone()]), "{other:?}");
        }
        assert_ne!(both, sum_of(std::slice::from_ref(&a)), "a point was lost");
        assert_ne!(both, sum_of(&[a.clone(), b.clone(), a]), "a point is there twice");
        assert_ne!(sum_of(&[b.clone(), b.clone()]), sum_of(&[]));
    }

    #[test]
    fn a_sum_carries_from_byte_to_byte() {
        let mut sum = Sum::default();
        let full = Hash([0xff; HASH_LEN]);
        sum.add(&full);
        sum.add(&full);
        let mut twice = [0xff; HASH_LEN];
        twice[0] = 0xfe;
        assert_eq!(sum.0, twice, "twice the largest number, without what wraps around");
    }
}
