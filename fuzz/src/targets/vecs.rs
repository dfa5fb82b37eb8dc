//! Files of vectors that are not NumPy's.
//!
//! Input: a byte that chooses between .fvecs, .bvecs and .fbin, then the file.

use vectra_cli::input::{Format, Source, VectorFile};

use super::Target;

/// See the top of this file.
pub const TARGET: Target = Target { name: "fvecs", run, seeds, words: &[] };

const FORMATS: [Format; 3] = [Format::Fvecs, Format::Bvecs, Format::Fbin];

fn run(input: &[u8]) -> bool {
    let Some((&format, rest)) = input.split_first() else { return false };
    let Ok(file) = VectorFile::read(Source::memory("x", rest), FORMATS[usize::from(format) % FORMATS.len()]) else { return false };
    read_vectors(&file);
    true
}

/// Reads a file of vectors whole and beyond its ends.
///
/// # Panics
/// When it gives other rows than were asked for, or numbers that are none.
pub fn read_vectors(file: &VectorFile) {
    let mut floats = Vec::new();
    let rows = usize::try_from(file.rows()).unwrap_or(usize::MAX);
    for (first, count) in [(0, rows), (0, 1), (file.rows().saturating_sub(1), 1), (file.rows(), 1), (u64::MAX, 2), (1, usize::MAX)] {
        let Ok(found) = file.read_rows(first, count) else { continue };
        assert!(found.len() == count && found.first() == first, "the rows that were asked for");
        for row in 0..found.len() {
            found.row_f32(row, &mut floats);
            assert!(floats.len() == file.dim() && floats.iter().all(|x| x.is_finite()), "whole rows of finite numbers");
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let row = [&3_u32.to_le_bytes()[..], &1.5_f32.to_le_bytes(), &(-2.0_f32).to_le_bytes(), &0.0_f32.to_le_bytes()].concat();
    let bytes = [&5_u32.to_le_bytes()[..], b"abcde"].concat();
    let fbin = [&2_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), &row[4..], &row[4..]].concat();
    vec![[&[0], &row[..], &row].concat(), [&[1], &bytes[..], &bytes, &bytes].concat(), [&[2], &fbin[..]].concat()]
}
