//! Levels and the order of insertion: integers from the seed, so that no logarithm of a machine's own
//! library decides the shape of a graph.

use crate::draw::Draw;

/// Highest level a node can be on.
pub(super) const MAX_LEVEL: u8 = 15;

/// The level of `node`: each next level holds one in `m` of the nodes of the level below.
pub(super) fn of_node(seed: u64, node: u32, m: u32) -> u8 {
    let threshold = u64::MAX / u64::from(m);
    let mut draw = spread(seed ^ spread(u64::from(node)));
    let mut level = 0;
    while level < MAX_LEVEL && draw < threshold {
        level += 1;
        draw = spread(draw);
    }
    level
}

/// Puts `nodes` in the order of insertion: high levels first, so that the upper levels are complete
/// before the many nodes of the lowest, and at random within a level, so that every prefix is a fair
/// sample of the data.
pub(super) fn sort_for_insertion(seed: u64, levels: &[u8], nodes: &mut [u32]) {
    nodes.sort_by_cached_key(|node| (u8::MAX - levels[*node as usize], spread(spread(seed) ^ u64::from(*node)), *node));
}

/// The first number of the stream that a number decides.
fn spread(value: u64) -> u64 {
    Draw(value).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_holds_about_one_in_m() {
        let levels: Vec<u8> = (0..160_000).map(|node| of_node(3, node, 16)).collect();
        let above = |level| levels.iter().filter(|l| **l > level).count();
        assert!((9_500..10_500).contains(&above(0)), "{}", above(0));
        assert!((500..750).contains(&above(1)), "{}", above(1));
    }

    #[test]
    fn insertion_begins_at_the_top_and_is_a_permutation() {
        let levels: Vec<u8> = (0..1000).map(|node| of_node(9, node, 4)).collect();
        let mut nodes: Vec<u32> = (0..1000).collect();
        sort_for_insertion(9, &levels, &mut nodes);
        assert!(nodes.is_sorted_by_key(|node| u8::MAX - levels[*node as usize]));
        assert!(!nodes.is_sorted(), "the order must not follow the input");
        nodes.sort_unstable();
        assert!(nodes.into_iter().eq(0..1000));
    }
}
