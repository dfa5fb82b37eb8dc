//! Checked stretches of a lazy file that are lent out from memory: added, found, and never taken away.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::ids::Lsn;

/// The stretches that begin in one block or reach into it.
#[derive(Debug, Default)]
pub(super) struct Pins {
    first: OnceLock<Box<Link>>,
}

#[derive(Debug)]
struct Link {
    range: Range<Lsn>,
    bytes: Bytes,
    next: OnceLock<Box<Link>>,
}

impl Pins {
    /// Finds a stretch that holds another whole.
    pub(super) fn find(&self, range: &Range<Lsn>) -> Option<&[u8]> {
        let mut link = self.first.get();
        while let Some(here) = link {
            if here.range.start <= range.start && here.range.end >= range.end {
                return Some(&here.bytes[(range.start - here.range.start) as usize..(range.end - here.range.start) as usize]);
            }
            link = here.next.get();
        }
        None
    }

    /// Adds a stretch, unless one that holds it is there already; gives its bytes.
    pub(super) fn push(&self, range: Range<Lsn>, bytes: Bytes) -> &[u8] {
        if let Some(known) = self.find(&range) {
            return known;
        }
        let mut link = Box::new(Link { range, bytes, next: OnceLock::new() });
        let mut place = &self.first;
        loop {
            // Who loses a race for a place takes the next one.
            match place.set(link) {
                Ok(()) => break,
                Err(back) => link = back,
            }
            place = place.get().map_or(place, |taken| &taken.next);
        }
        place.get().map_or(&[], |link| &link.bytes)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        // One after the other: a long chain that drops itself would use a stack frame for each link.
        let mut next = self.first.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_found_by_every_part_of_it() {
        let pins = Pins::default();
        assert_eq!(pins.push(8..12, Bytes::from_static(b"wxyz")), b"wxyz");
        assert_eq!(pins.push(9..11, Bytes::from_static(b"--")), b"xy", "a stretch that holds it is there already");
        assert_eq!(pins.find(&(10..12)), Some(&b"yz"[..]));
        assert_eq!((pins.find(&(10..13)), pins.find(&(0..1))), (None, None));
    }

    #[test]
    fn a_chain_of_any_length_is_dropped() {
        let mut pins = Pins::default();
        for start in 0..300_000 {
            let next = std::mem::take(&mut pins.first);
            pins.first = OnceLock::from(Box::new(Link { range: start..start + 1, bytes: Bytes::from_static(b"x"), next }));
        }
        assert!(pins.find(&(0..1)).is_some());
        drop(pins);
    }

    #[test]
    fn threads_that_pin_at_the_same_time_all_find_their_own() {
        let pins = Pins::default();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let pins = &pins;
                scope.spawn(move || {
                    for n in 0..64 {
                        let start = (n * 4 + thread) * 8;
                        let bytes = Bytes::from(vec![thread as u8; 8]);
                        assert_eq!(pins.push(start..start + 8, bytes), [thread as u8; 8]);
                    }
                });
            }
        });
        for n in 0..256_u64 {
            assert_eq!(pins.find(&(n * 8..n * 8 + 8)), Some(&[(n % 4) as u8; 8][..]), "stretch {n}");
        }
    }
}
