//! Files of NumPy: as vectors, as ids, as lists of neighbours.

use vectra_cli::input::{Format, IdFile, NeighbourFile, Source, VectorFile};

use super::{Target, vecs};

/// Input: the file.
pub const TARGET: Target = Target { name: "npy", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "'descr': '<f4', ",
    "'<f2'",
    "'|u1'",
    "'<i8'",
    "'<U36'",
    "'|S36'",
    "'fortran_order': True",
    "'shape': (",
    "4611686018427387904",
    "), }",
];

fn run(input: &[u8]) -> bool {
    let source = Source::memory("x.npy", input);
    let mut accepted = 0;
    if let Ok(file) = VectorFile::read(source.clone(), Format::Npy) {
        vecs::read_vectors(&file);
        accepted += 1;
    }
    if let Ok(file) = IdFile::read(source.clone()) {
        for count in [0, 1, 1000] {
            if let Ok(ids) = file.read_rows(0, count) {
                assert_eq!(ids.len(), count, "as many ids as asked for");
            }
        }
        let _ = (file.read_rows(file.rows(), 1), file.read_rows(u64::MAX, usize::MAX));
        accepted += 1;
    }
    if let Ok(file) = NeighbourFile::read(source) {
        let _ = (file.read_rows(0, 1), file.read_rows(file.rows(), 1), file.read_rows(1, usize::MAX), file.width());
        accepted += 1;
    }
    accepted > 0
}

fn file(version: u8, descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let start = if version == 1 { 10 } else { 12 };
    while (start + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let len = header.len() as u32;
    let len = if version == 1 { (len as u16).to_le_bytes().to_vec() } else { len.to_le_bytes().to_vec() };
    [b"\x93NUMPY", &[version, 0][..], &len, header.as_bytes(), data].concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let floats: Vec<u8> = [1.0_f32, -2.5, 0.0, 3.0e30, 5.0, 6.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let numbers: Vec<u8> = [0_u64, 1, u64::MAX >> 1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let text: Vec<u8> = "0f0e0d0c-0b0a-0908-0706-050403020100".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    vec![
        file(1, "<f4", "2, 3", &floats),
        file(2, "<f2", "3, 4", &floats),
        file(3, "|u1", "4, 6", &floats),
        file(1, "<u8", "3,", &numbers),
        file(1, "<i4", "3, 2", &numbers),
        file(1, "<U36", "1,", &text),
        file(1, "|S36", "1,", &text[..36]),
        file(1, "<f4", "0, 3", &[]),
    ]
}
