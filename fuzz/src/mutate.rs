//! Seeded mutations over a corpus, for machines without libFuzzer and for the tests.

use platform::random::Stream;

/// The longest input that is made.
pub const INPUT_LEN_MAX: usize = 64 << 10;

/// Numbers at which readers go wrong.
const NUMBERS: [u64; 16] =
    [0, 1, 2, 7, 63, 64, 0x7f, 0xff, 0x7fff, 0xffff, 0x10_000, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Draws an input: a seed of the corpus with a few changes.
///
/// # Panics
/// When the corpus is empty.
#[must_use]
pub fn draw(stream: &mut Stream, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = pick(stream, corpus).clone();
    // Mostly few changes: an input that is wrong in one place gets furthest.
    for _ in 0..=stream.below(8) * stream.below(2) {
        change(stream, &mut input, corpus, words);
    }
    input.truncate(INPUT_LEN_MAX);
    input
}

fn pick<'a, T>(stream: &mut Stream, from: &'a [T]) -> &'a T {
    &from[stream.below(from.len() as u64) as usize]
}

fn change(stream: &mut Stream, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let len = input.len();
    let at = stream.below(len as u64 + 1) as usize;
    match stream.below(11) {
        0 if at < len => input[at] ^= 1 << stream.below(8),
        1 if at < len => input[at] = stream.next_u64() as u8,
        2 | 3 => overwrite(stream, input),
        4 if !words.is_empty() => insert(input, at, pick(stream, words).as_bytes()),
        5 => input.truncate(at),
        6 => drop(input.drain(at..(at + 1 + stream.below(64) as usize).min(len).max(at))),
        7 => {
            let from = stream.below(len as u64 + 1) as usize;
            let piece = input[from..(from + 1 + stream.below(128) as usize).min(len)].to_vec();
            if stream.chance(1, 2) {
                insert(input, at, &piece);
            } else {
                let end = (at + piece.len()).min(len);
                input[at..end].copy_from_slice(&piece[..end - at]);
            }
        }
        8 => {
            let other = pick(stream, corpus);
            let from = stream.below(other.len() as u64 + 1) as usize;
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        9 => {
            let count = 1 + stream.below(16) as usize;
            let bytes: Vec<u8> = (0..count).map(|_| stream.next_u64() as u8).collect();
            insert(input, at, &bytes);
        }
        _ if !input.is_empty() => input[0] = stream.next_u64() as u8,
        _ => {}
    }
}

/// Writes a number of 1 to 8 bytes, or adds a little to the one that is there; at an even place more often than not.
fn overwrite(stream: &mut Stream, input: &mut [u8]) {
    let width = 1 << stream.below(4);
    let Some(room) = input.len().checked_sub(width) else { return };
    let mut at = stream.below(room as u64 + 1) as usize;
    if stream.chance(3, 4) {
        at -= at % width;
    }
    let place = &mut input[at..at + width];
    let mut old = [0; 8];
    old[..width].copy_from_slice(place);
    let value = match stream.below(3) {
        0 => *pick(stream, &NUMBERS),
        1 => u64::from_le_bytes(old).wrapping_add(stream.below(9)).wrapping_sub(4),
        _ => stream.next_u64() >> stream.below(64),
    };
    place.copy_from_slice(&value.to_le_bytes()[..width]);
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_same_inputs_and_no_input_is_too_long() {
        let corpus = [b"some bytes to begin with".to_vec(), Vec::new(), vec![7; INPUT_LEN_MAX]];
        let inputs = |seed| {
            let mut stream = Stream::new(seed);
            (0..500).map(|_| draw(&mut stream, &corpus, &["{", "null"])).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(3).iter().all(|input| input.len() <= INPUT_LEN_MAX));
        let unchanged = inputs(3).iter().filter(|input| corpus.contains(input)).count();
        assert!(unchanged < 250, "{unchanged} of 500 inputs are seeds as they were");
    }
}
