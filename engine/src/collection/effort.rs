//! How many candidates a search needs for a recall: looked up in what was measured when the indexes were built.

use crate::error::{Error, Result};
use crate::segment::{RECALL_UNIT, Tuning};

/// The answers that curves are measured with.
const TOP_MEASURED: usize = 10;
/// Candidates that each answer more than was measured with adds.
const EF_PER_ANSWER: usize = 2;
/// Candidates for an index of which nothing is stored, by the recall that is asked for, in ten-thousandths.
const USUAL: [(u32, usize); 4] = [(9_000, 64), (9_500, 128), (9_900, 256), (RECALL_UNIT, 512)];
/// The candidates where even the last point of a curve found too little.
const EF_MAX: usize = 1024;

/// The share of the true neighbours that a search is to find, in the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetRecall(u32);

impl TargetRecall {
    /// Takes a share above 0 and up to 1.
    ///
    /// # Errors
    /// `InvalidInput` for any other number.
    pub fn new(share: f64) -> Result<Self> {
        if share > 0.0 && share <= 1.0 {
            return Ok(TargetRecall((share * f64::from(RECALL_UNIT)).round().max(1.0) as u32));
        }
        Err(Error::invalid("this is not a recall").with_expected("a number above 0, at most 1", share))
    }

    /// Gives the share.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(RECALL_UNIT)
    }

    /// Says whether nothing may be missed.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.0 == RECALL_UNIT
    }

    /// Gives what a curve has to show: a sample is not what will be asked, so a fifth of the misses is kept in reserve.
    fn with_margin(self) -> u32 {
        RECALL_UNIT - (RECALL_UNIT - self.0) * 4 / 5
    }

    /// Gives the candidates for `top` answers of one index, of which this was measured.
    #[must_use]
    pub fn ef(self, tuning: Option<&Tuning>, top: usize) -> usize {
        let measured = match tuning.filter(|tuning| tuning.samples > 0) {
            Some(tuning) => tuning.ef_for(self.with_margin()).map_or(EF_MAX, |ef| ef as usize),
            None => USUAL.iter().find(|(recall, _)| self.0 <= *recall).map_or(EF_MAX, |(_, ef)| *ef),
        };
        measured.max(TOP_MEASURED) + EF_PER_ANSWER * top.saturating_sub(TOP_MEASURED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::TuningPoint;

    fn tuning() -> Tuning {
        let curve = [(10, 8_000), (32, 9_550), (64, 9_650), (128, 9_950)].map(|(ef, recall)| TuningPoint { ef, recall });
        Tuning { ef_construction: 128, seed: 1, edges: 0, samples: 100, top: 10, curve: curve.to_vec() }
    }

    fn target(share: f64) -> TargetRecall {
        TargetRecall::new(share).unwrap()
    }

    #[test]
    fn the_least_effort_with_something_in_reserve_is_taken() {
        let of = |share, top| target(share).ef(Some(&tuning()), top);
        assert_eq!([of(0.5, 10), of(0.94, 10), of(0.95, 10), of(0.99, 10), of(0.999, 10)], [10, 32, 64, 128, EF_MAX]);
        assert_eq!((of(0.95, 1), of(0.95, 100)), (64, 64 + 180));
    }

    #[test]
    fn an_index_of_which_nothing_is_known_gets_a_usual_effort() {
        let unasked = Tuning { samples: 0, ..tuning() };
        for known in [None, Some(&unasked)] {
            assert_eq!([0.5, 0.9, 0.95, 0.97, 0.995].map(|share| target(share).ef(known, 10)), [64, 64, 128, 256, 512]);
        }
    }

    #[test]
    fn what_is_no_recall_is_refused() {
        for share in [0.0, -0.1, 1.01, f64::NAN, f64::INFINITY] {
            assert!(TargetRecall::new(share).is_err(), "{share}");
        }
        assert!(target(1.0).is_exact() && !target(0.999).is_exact());
    }
}
