//! Recall: which share of the true neighbours a search found.

/// The share of the first `k` of `truth` that is among the first `k` of `found`, between 0 and 1.
///
/// A truth of fewer than `k` entries counts by its own length; an empty one is fully found.
#[must_use]
pub fn recall_at_k<T: PartialEq>(found: &[T], truth: &[T], k: usize) -> f64 {
    let truth = &truth[..truth.len().min(k)];
    let found = &found[..found.len().min(k)];
    if truth.is_empty() {
        return 1.0;
    }
    let hits = truth.iter().filter(|wanted| found.contains(wanted)).count();
    hits as f64 / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_only_the_first_k() {
        assert_eq!(recall_at_k(&[1, 2, 3, 4], &[4, 3, 2, 1], 2), 0.0);
        assert_eq!(recall_at_k(&[1, 2, 3, 4], &[4, 3, 2, 1], 4), 1.0);
        assert_eq!(recall_at_k(&[9, 2], &[2, 1], 10), 0.5);
        assert_eq!(recall_at_k::<u32>(&[], &[], 10), 1.0);
    }
}
