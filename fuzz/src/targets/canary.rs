//! A reader with a mistake that an attack must find, or the attack itself is broken.

use super::Target;

/// Panics on inputs that hold a byte 0xCA right before a byte of the upper half.
pub const TARGET: Target = Target { name: "canary", run, seeds, words: &[] };

fn run(input: &[u8]) -> bool {
    let dies = input.windows(2).any(|pair| pair[0] == 0xCA && pair[1] > 0x7f);
    assert!(!dies, "the canary is dead, as it should be");
    true
}

fn seeds() -> Vec<Vec<u8>> {
    vec![vec![0xCA; 1], vec![0; 32]]
}
