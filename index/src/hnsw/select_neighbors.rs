//! Which candidates become neighbours: near ones, in different directions.

use super::candidates::Key;
use crate::codes::CodesView;
use crate::simd::Kernels;

/// Memory that selections reuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    chosen: Vec<u32>,
    passed_over: Vec<u32>,
    distances: Vec<i32>,
}

impl Selection {
    /// Chooses up to `limit` of `candidates`, nearest first: one that is at least as near to a chosen node
    /// as to the owner of the list is passed over, because the walk reaches it through that node. When
    /// fewer than `floor` are left, the nearest passed over fill up.
    ///
    /// `candidates` are sorted, without the owner and without repetition.
    pub(super) fn choose(
        &mut self,
        kernels: &Kernels,
        codes: &CodesView<'_>,
        candidates: impl IntoIterator<Item = Key>,
        limit: usize,
        floor: usize,
    ) -> &[u32] {
        self.chosen.clear();
        self.passed_over.clear();
        for candidate in candidates {
            if self.chosen.len() == limit {
                break;
            }
            if self.is_covered(kernels, codes, candidate) {
                self.passed_over.push(candidate.node());
            } else {
                self.chosen.push(candidate.node());
            }
        }
        let missing = floor.min(limit).saturating_sub(self.chosen.len());
        self.chosen.extend(self.passed_over.iter().take(missing));
        assert!(self.chosen.len() <= limit);
        &self.chosen
    }

    /// True when a chosen node is at most as far from the candidate as the owner is. Asked a few at a
    /// time: the nearest chosen nodes decide most candidates.
    fn is_covered(&mut self, kernels: &Kernels, codes: &CodesView<'_>, candidate: Key) -> bool {
        let query = codes.row_query(candidate.node());
        for part in self.chosen.chunks(8) {
            self.distances.resize(part.len(), 0);
            codes.distances(kernels, query, part, &mut self.distances);
            if self.distances.iter().any(|distance| *distance <= candidate.distance()) {
                return true;
            }
        }
        false
    }
}
