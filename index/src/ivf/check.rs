//! The check of lists: what `verify` counts, and the first thing that is wrong.

use super::encode::NO_KEY;
use super::kmeans::norm;
use super::layout::ListsView;
use crate::filter::Bitmap;
use crate::simd::bits::{BLOCK_ROWS, block_len, signs_len};
use half::f16;
use std::fmt;

/// What is wrong with a list, or with a row in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A key that is not below the bound.
    OutOfRange {
        /// In which list.
        list: u32,
        /// The key.
        key: u32,
    },
    /// A key that is in two places.
    Duplicate {
        /// In which list it is again.
        list: u32,
        /// The key.
        key: u32,
    },
    /// A key that is behind a larger one of its list.
    OutOfOrder {
        /// In which list.
        list: u32,
        /// The key.
        key: u32,
    },
    /// Numbers of a row that are none, or a scale below zero.
    Number {
        /// In which list.
        list: u32,
        /// The key of the row.
        key: u32,
    },
    /// A centre that has another length than is stored.
    Length {
        /// Of which list.
        list: u32,
    },
    /// Something behind the last row.
    Padding,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offence::OutOfRange { list, key } => write!(f, "list {list} has row {key}, which does not exist"),
            Offence::Duplicate { list, key } => write!(f, "list {list} has row {key}, which has been listed before"),
            Offence::OutOfOrder { list, key } => write!(f, "list {list} has row {key} behind a later row"),
            Offence::Number { list, key } => write!(f, "the numbers of row {key} in list {list} are out of range"),
            Offence::Length { list } => write!(f, "the centre of list {list} has another length than is stored"),
            Offence::Padding => f.write_str("there is something behind the last row of the lists"),
        }
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lists.
    pub lists: u32,
    /// Lists without rows.
    pub empty: u32,
    /// Rows of all lists.
    pub rows: u32,
    /// Rows of the largest list.
    pub largest: u32,
    /// Number of things that are wrong.
    pub offences: u64,
    /// The first of them, in the order of lists.
    pub first_offence: Option<Offence>,
}

impl Report {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.offences == 0
    }

    fn offend(&mut self, offence: Offence) {
        self.offences += 1;
        self.first_offence.get_or_insert(offence);
    }
}

/// Reads every list.
#[must_use]
pub fn check(lists: &ListsView<'_>) -> Report {
    let mut report = Report { lists: lists.list_count(), rows: lists.row_count(), ..Report::default() };
    let mut seen = Bitmap::new(lists.key_bound());
    for list in 0..lists.list_count() {
        if norm(lists.centre_rows().row(list)) != lists.norm(list) {
            report.offend(Offence::Length { list });
        }
        let places = lists.list(list);
        report.empty += u32::from(places.is_empty());
        report.largest = report.largest.max(places.len() as u32);
        let mut last = None;
        for place in places {
            let key = lists.key(place);
            if key >= lists.key_bound() {
                report.offend(Offence::OutOfRange { list, key });
                continue;
            }
            if seen.get(key) {
                report.offend(Offence::Duplicate { list, key });
            } else if last.is_some_and(|last| last > key) {
                report.offend(Offence::OutOfOrder { list, key });
            }
            let (scale, term) = numbers(lists, place);
            if !scale.is_finite() || scale.is_sign_negative() || !term.is_finite() {
                report.offend(Offence::Number { list, key });
            }
            seen.set(key, true);
            last = Some(key);
        }
    }
    if !padding_is_clean(lists) {
        report.offend(Offence::Padding);
    }
    report
}

fn numbers(lists: &ListsView<'_>, place: usize) -> (f16, f16) {
    let block = lists.blocks(place / BLOCK_ROWS..place / BLOCK_ROWS + 1);
    let at = signs_len(lists.space().padded()) + place % BLOCK_ROWS * 2;
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]);
    (half(at), half(at + BLOCK_ROWS * 2))
}

/// The places behind the last row hold zeros and no key.
fn padding_is_clean(lists: &ListsView<'_>) -> bool {
    let rows = lists.row_count() as usize;
    let lane = rows % BLOCK_ROWS;
    if lane == 0 {
        return true;
    }
    let block = lists.blocks(rows / BLOCK_ROWS..rows / BLOCK_ROWS + 1);
    debug_assert_eq!(block.len(), block_len(lists.space().padded()));
    let signs = block[..signs_len(lists.space().padded())].as_chunks::<16>().0;
    (lane..BLOCK_ROWS).all(|lane| {
        let of_lane = |group: &[u8; 16]| if lane < 16 { group[lane] & 15 } else { group[lane - 16] >> 4 };
        let place = rows / BLOCK_ROWS * BLOCK_ROWS + lane;
        let (scale, term) = numbers(lists, place);
        signs.iter().all(|group| of_lane(group) == 0) && (scale.to_bits(), term.to_bits()) == (0, 0) && lists.key(place) == NO_KEY
    })
}
