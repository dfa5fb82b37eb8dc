//! Generated points for the demo and the benchmarks: vectors with the structure of embeddings, and a small payload for each.
//!
//! A vector is a point of a mixture of clusters in a space of few dimensions, mapped to the wanted dimension and roughened: neighbours are
//! neither obvious nor lost in noise. The same seed gives the same data everywhere.

use platform::random::Stream;

/// Dimensions of the space that the clusters lie in.
const LATENT: usize = 24;
/// Clusters.
const CLUSTERS: usize = 500;
/// Width of a cluster.
const SPREAD: f32 = 0.9;
/// Roughness added to every number.
const NOISE: f32 = 0.04;

/// A source of vectors and payloads.
#[derive(Debug)]
pub struct Generator {
    dim: usize,
    centres: Vec<f32>,
    map: Vec<f32>,
    stream: Stream,
}

impl Generator {
    /// Starts a source of vectors of `dim` numbers. Sources of one seed and different `part`s share their clusters: points and queries.
    #[must_use]
    pub fn new(seed: u64, part: u64, dim: usize) -> Self {
        let mut shared = Stream::new(seed);
        let centres = (0..CLUSTERS * LATENT).map(|_| shared.gaussian()).collect();
        let scale = 1.0 / (LATENT as f32).sqrt();
        let map = (0..LATENT * dim).map(|_| shared.gaussian() * scale).collect();
        Generator { dim, centres, map, stream: Stream::new(seed ^ (part + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) }
    }

    /// Gives the next vector.
    pub fn vector(&mut self, out: &mut Vec<f32>) {
        let cluster = self.stream.below(CLUSTERS as u64) as usize;
        out.clear();
        out.resize(self.dim, 0.0);
        for axis in 0..LATENT {
            let at = self.centres[cluster * LATENT + axis] + SPREAD * self.stream.gaussian();
            let row = &self.map[axis * self.dim..(axis + 1) * self.dim];
            out.iter_mut().zip(row).for_each(|(value, weight)| *value += at * weight);
        }
        // Uniform noise of the same width is as good here and much cheaper than a gaussian.
        out.iter_mut().for_each(|value| *value += NOISE * (2.0 * self.stream.unit_f32() - 1.0));
        assert_eq!(out.len(), self.dim, "a vector has the wanted dimension");
    }

    /// Gives the payload of a row as JSON text.
    #[must_use]
    pub fn payload(row: u64) -> String {
        const KINDS: [&str; 8] = ["book", "film", "game", "lamp", "shoe", "tool", "toy", "wine"];
        let hash = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        let kind = KINDS[(hash % 8) as usize];
        format!(
            "{{\"sku\":\"SKU-{row:08}\",\"kind\":\"{kind}\",\"price\":{},\"in_stock\":{}}}",
            100 + hash % 9_900,
            !hash.is_multiple_of(3)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_vectors_and_parts_differ() {
        let draw = |part: u64| {
            let (mut generator, mut vector) = (Generator::new(1, part, 16), Vec::new());
            generator.vector(&mut vector);
            vector
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
    }

    #[test]
    fn a_payload_is_json_that_the_engine_takes() {
        let text = Generator::payload(12);
        assert_eq!(engine::payload::minify_checked(&text, &engine::payload::Limits::default()).ok(), Some(Some(text)));
    }
}
