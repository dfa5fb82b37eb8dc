//! Looks for the fewest candidates that reach a recall.

use crate::exit::Failure;

/// The first number of candidates that is tried.
const EF_FIRST: u32 = 10;
/// No more candidates than this are tried.
const EF_MAX: u32 = 5_120;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Recommended {
    /// The candidates: the fewest that reach the target, or the most that were tried.
    pub ef: u32,
    /// What they find.
    pub recall: f64,
    /// Whether that is enough.
    pub is_enough: bool,
}

/// Doubles the candidates until they find enough, then halves the interval. `measure` gives the recall of a number of candidates; each number
/// is measured once.
pub(super) fn least(target: f64, mut measure: impl FnMut(u32) -> Result<f64, Failure>) -> Result<Recommended, Failure> {
    let (mut too_few, mut ef) = (0, EF_FIRST);
    let mut recall = measure(ef)?;
    while recall < target {
        if ef >= EF_MAX {
            return Ok(Recommended { ef, recall, is_enough: false });
        }
        (too_few, ef) = (ef, (2 * ef).min(EF_MAX));
        recall = measure(ef)?;
    }
    // Fewer than the first are of no use: that many answers are asked for.
    while too_few > 0 && ef - too_few > 1 {
        let middle = too_few + (ef - too_few) / 2;
        let found = measure(middle)?;
        if found >= target { (ef, recall) = (middle, found) } else { too_few = middle }
    }
    Ok(Recommended { ef, recall, is_enough: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recall that grows with the candidates, and how often it was measured.
    fn search(target: f64, needs: u32) -> (Recommended, usize) {
        let mut measured = Vec::new();
        let found = least(target, |ef| {
            assert!(!measured.contains(&ef), "{ef} was measured twice");
            measured.push(ef);
            Ok(if ef >= needs { target } else { target * f64::from(ef) / f64::from(needs) })
        });
        (found.unwrap(), measured.len())
    }

    #[test]
    fn the_least_effort_is_found_in_few_steps() {
        for needs in [1, 10, 11, 12, 37, 64, 1_000, EF_MAX] {
            let (found, steps) = search(0.95, needs);
            assert_eq!((found.ef, found.is_enough), (needs.max(EF_FIRST), true));
            assert!(steps < 24, "{steps} steps for {needs}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_said() {
        let (found, _) = search(0.99, EF_MAX + 1);
        assert_eq!((found.ef, found.is_enough), (EF_MAX, false));
        assert!(found.recall < 0.99);
    }
}
