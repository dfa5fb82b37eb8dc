//! Points at random, each as likely as any other.

use engine::collection::Version;
use engine::payload::Filter;
use engine::{PointId, Result};

use crate::Host;

/// Points that are looked at in one step.
const STEP: usize = 4_096;

/// Draws points that pass a filter, each at most once, in a random order.
///
/// # Errors
/// `Corrupt` when a payload does not read.
pub(super) fn draw(version: &Version, filter: Option<&Filter>, count: usize, host: &Host) -> Result<Vec<PointId>> {
    let mut kept: Vec<PointId> = Vec::with_capacity(count.min(STEP));
    let (mut from, mut seen) = (None, 0_u64);
    loop {
        let ids = version.scroll(from, STEP + 1, filter)?;
        for id in ids.iter().take(STEP) {
            seen += 1;
            if kept.len() < count {
                kept.push(*id);
            } else if let Some(place) = kept.get_mut(below(host, seen) as usize) {
                // Algorithm R: the n-th comes in with probability count / n.
                *place = *id;
            }
        }
        match ids.get(STEP) {
            Some(next) => from = Some(*next),
            None => break,
        }
    }
    for at in (1..kept.len()).rev() {
        kept.swap(at, below(host, at as u64 + 1) as usize);
    }
    Ok(kept)
}

/// Draws a number below a bound.
fn below(host: &Host, bound: u64) -> u64 {
    let mut bytes = [0; 8];
    host.database().world().random.fill(&mut bytes);
    ((u128::from(u64::from_le_bytes(bytes)) * u128::from(bound)) >> 64) as u64
}
