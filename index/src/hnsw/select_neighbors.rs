//! Which candidates become neighbours: near ones, in different directions.

use super::candidates::Key;
use crate::Metric;
use crate::codes::CodesView;
use crate::simd::Kernels;

/// A candidate is passed over when it is nearer to a chosen node than to the owner of the list by this factor, as a fraction. Above 1, lists fill up
/// with edges that a strict rule would leave out and walks take fewer steps (the alpha of Vamana, over squared distances).
const ALPHA: (i64, i64) = (11, 10);

/// Chosen nodes that a candidate is compared with at once: the nearest chosen ones decide most candidates.
const COMPARED: usize = 8;

/// How the distances between rows relate to each other in space: what [`ALPHA`] stretches.
#[derive(Clone, Debug)]
pub(super) enum Geometry {
    /// Code distances themselves.
    Own,
    /// Code distances are negated inner products of rows of about one length: with the squared lengths they give squared distances.
    Sphere(Vec<i32>),
    /// Code distances are negated inner products of rows of any length, which say nothing about the distance between rows: nothing is stretched.
    Products,
}

impl Geometry {
    /// Looks at the rows.
    pub(super) fn of(codes: &CodesView<'_>) -> Self {
        if codes.params().metric() != Metric::Dot {
            return Geometry::Own;
        }
        let signed = |code: &u8| i32::from(*code) - 128;
        let squared = |row: u32| codes.rows().row(row).iter().map(|code| signed(code) * signed(code)).sum::<i32>();
        let lengths: Vec<i32> = (0..codes.count() as u32).map(squared).collect();
        let (sum, longest) = (lengths.iter().map(|length| i64::from(*length)).sum::<i64>(), lengths.iter().max());
        let alike = longest.is_some_and(|longest| i64::from(*longest) * lengths.len() as i64 <= 2 * sum);
        if alike && !codes.params().has_terms() { Geometry::Sphere(lengths) } else { Geometry::Products }
    }

    /// The distance between two rows in the sense that [`ALPHA`] stretches.
    #[inline]
    fn stretchable(&self, distance: i32, a: u32, b: u32) -> i64 {
        match self {
            Geometry::Sphere(lengths) => i64::from(lengths[a as usize]) + i64::from(lengths[b as usize]) + 2 * i64::from(distance),
            Geometry::Own | Geometry::Products => i64::from(distance),
        }
    }

    /// True when a candidate is so much nearer to a chosen node than to the owner that the walk reaches it through that node.
    #[inline]
    fn covers(&self, to_chosen: i64, to_owner: i64) -> bool {
        match self {
            // As near is not enough: what equals the owner is as near to everything as the owner is, and would cover all the rest.
            Geometry::Products => to_chosen < to_owner,
            // Equal rows are at distance 0 from each other, and covered.
            _ => to_chosen * ALPHA.0 <= to_owner * ALPHA.1,
        }
    }
}

/// Memory that selections reuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    chosen: Vec<u32>,
    passed_over: Vec<u32>,
    /// Passed over because they equal a chosen node.
    equals: Vec<u32>,
    distances: Vec<i32>,
}

impl Selection {
    /// Chooses up to `limit` of `candidates` for the list of `owner`, nearest first: one that a chosen node covers is passed over,
    /// because the walk reaches it through that node. When fewer than `floor` are left, the nearest passed over fill up, and equals of
    /// chosen nodes last: lists full of one vector's copies lead nowhere else.
    ///
    /// `candidates` are sorted, without the owner and without repetition.
    #[expect(clippy::too_many_arguments, reason = "what a list is chosen by; a struct of them would be used once")]
    pub(super) fn choose(
        &mut self,
        kernels: &Kernels,
        codes: &CodesView<'_>,
        geometry: &Geometry,
        owner: u32,
        candidates: impl IntoIterator<Item = Key>,
        limit: usize,
        floor: usize,
    ) -> &[u32] {
        self.chosen.clear();
        self.passed_over.clear();
        self.equals.clear();
        for candidate in candidates {
            if self.chosen.len() == limit {
                break;
            }
            match self.covering(kernels, codes, geometry, owner, candidate) {
                None => self.chosen.push(candidate.node()),
                Some(chosen) if codes.rows().row(chosen) == codes.rows().row(candidate.node()) => self.equals.push(candidate.node()),
                Some(_) => self.passed_over.push(candidate.node()),
            }
        }
        let missing = floor.min(limit).saturating_sub(self.chosen.len());
        self.chosen.extend(self.passed_over.iter().chain(&self.equals).take(missing));
        assert!(self.chosen.len() <= limit);
        &self.chosen
    }

    /// A chosen node that covers a candidate; one that equals it where there is one.
    fn covering(&mut self, kernels: &Kernels, codes: &CodesView<'_>, geometry: &Geometry, owner: u32, candidate: Key) -> Option<u32> {
        let node = candidate.node();
        let query = codes.row_query(node);
        let to_owner = geometry.stretchable(candidate.distance(), owner, node);
        for part in self.chosen.chunks(COMPARED) {
            self.distances.resize(part.len(), 0);
            codes.distances(kernels, query, part, &mut self.distances);
            let distances =
                part.iter().zip(&self.distances).map(|(chosen, distance)| (geometry.stretchable(*distance, *chosen, node), *chosen));
            // The nearest of them; of equal nodes only one was chosen.
            if let Some((to_chosen, chosen)) = distances.min()
                && (geometry.covers(to_chosen, to_owner) || codes.rows().row(chosen) == codes.rows().row(node))
            {
                return Some(chosen);
            }
        }
        None
    }
}
