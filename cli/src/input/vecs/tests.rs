//! What the readers of vector files give and refuse.

use super::*;
use engine::ErrorKind;

fn npy_file(descr: &str, shape: &str, data: &[u8]) -> Source {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    Source::memory("v.npy", bytes)
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn rows_of(file: &VectorFile) -> Vec<Vec<f32>> {
    let rows = file.read_rows(0, usize::try_from(file.rows()).unwrap()).unwrap();
    let mut out = Vec::new();
    (0..rows.len())
        .map(|row| {
            rows.row_f32(row, &mut out);
            out.clone()
        })
        .collect()
}

fn fvecs(rows: &[&[f32]]) -> Vec<u8> {
    rows.iter().flat_map(|row| [i32::try_from(row.len()).unwrap().to_le_bytes().to_vec(), floats(row)].concat()).collect()
}

#[test]
fn the_same_vectors_come_out_of_every_format() {
    let expected = vec![vec![1.0, -2.5], vec![0.0, 3.0]];
    let half: Vec<u8> = [1.0, -2.5, 0.0, 3.0].iter().flat_map(|number| f16::from_f32(*number).to_le_bytes()).collect();
    let mut fbin = [2_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat();
    fbin.extend(floats(&[1.0, -2.5, 0.0, 3.0]));
    let files = [
        (npy_file("<f4", "(2, 2)", &floats(&[1.0, -2.5, 0.0, 3.0])), Format::Npy),
        (npy_file("<f2", "(2, 2)", &half), Format::Npy),
        (Source::memory("v.fvecs", fvecs(&[&[1.0, -2.5], &[0.0, 3.0]])), Format::Fvecs),
        (Source::memory("v.fbin", fbin), Format::Fbin),
    ];
    for (source, format) in files {
        let file = VectorFile::read(source, format).unwrap();
        assert_eq!((file.rows(), file.dim()), (2, 2));
        assert_eq!(rows_of(&file), expected, "{format:?} {:?}", file.element());
    }
    let bytes = VectorFile::read(npy_file("|u1", "(1, 3)", &[0, 7, 255]), Format::Npy).unwrap();
    assert_eq!(rows_of(&bytes), [[0.0, 7.0, 255.0]]);
    let bvecs = VectorFile::read(Source::memory("v.bvecs", vec![2, 0, 0, 0, 9, 255]), Format::Bvecs).unwrap();
    assert_eq!(rows_of(&bvecs), [[9.0, 255.0]]);
}

#[test]
fn a_range_of_rows_is_read_from_its_own_place() {
    let all: Vec<Vec<f32>> = (0..10_u8).map(|row| vec![f32::from(row), 0.5]).collect();
    let slices: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
    let file = VectorFile::read(Source::memory("v.fvecs", fvecs(&slices)), Format::Fvecs).unwrap();
    let rows = file.read_rows(7, 2).unwrap();
    let mut out = Vec::new();
    rows.row_f32(1, &mut out);
    assert_eq!((rows.first(), rows.len(), out.as_slice()), (7, 2, &[8.0, 0.5][..]));
    assert!(file.read_rows(10, 0).unwrap().is_empty());
    assert!(file.read_rows(9, 2).is_err());
}

#[test]
fn nan_and_infinity_are_refused_with_their_row() {
    for (descr, data) in [
        ("<f4", floats(&[0.0, 1.0, 2.0, f32::NAN])),
        ("<f4", floats(&[0.0, 1.0, 2.0, f32::NEG_INFINITY])),
        ("<f2", [0.0, 1.0, 2.0, f32::INFINITY].iter().flat_map(|number| f16::from_f32(*number).to_le_bytes()).collect()),
    ] {
        let file = VectorFile::read(npy_file(descr, "(2, 2)", &data), Format::Npy).unwrap();
        file.read_rows(0, 1).unwrap();
        let failure = file.read_rows(1, 1).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::InvalidInput);
        assert!(failure.message.contains("row 1, number 1"), "{failure}");
    }
}

#[test]
fn a_row_of_another_dimension_is_refused_with_its_row_and_offset() {
    // The second row claims 3 numbers, and the file still has the size of two rows of 2.
    let mut bytes = fvecs(&[&[1.0, 2.0], &[3.0, 4.0]]);
    bytes[12] = 3;
    let file = VectorFile::read(Source::memory("v.fvecs", bytes), Format::Fvecs).unwrap();
    let failure = file.read_rows(0, 2).unwrap_err();
    assert!(failure.message.contains("row 1"), "{failure}");
    assert_eq!((failure.offset, failure.expected.as_deref(), failure.got.as_deref()), (Some(12), Some("2"), Some("3")));
}

#[test]
fn arrays_that_are_no_list_of_vectors_are_refused() {
    for (descr, shape, len) in
        [("<f4", "(4,)", 16), ("<f4", "(1, 2, 2)", 16), ("<f8", "(1, 2)", 16), ("<i4", "(1, 4)", 16), ("<f4", "(5, 0)", 0)]
    {
        let failure = VectorFile::read(npy_file(descr, shape, &vec![0; len]), Format::Npy).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::InvalidInput, "{descr} {shape}");
    }
    let text = "{'descr': '<f4', 'fortran_order': True, 'shape': (0, 2)}";
    let mut fortran = b"\x93NUMPY\x01\x00".to_vec();
    fortran.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    fortran.extend(text.as_bytes());
    let failure = VectorFile::read(Source::memory("v.npy", fortran), Format::Npy).unwrap_err();
    assert!(failure.message.contains("Fortran"), "{failure}");
}

#[test]
fn claims_beyond_the_file_are_refused_without_allocating_them() {
    let claims: [(&[u8], Format); 6] = [
        (&[], Format::Fvecs),
        (&[255, 255, 255, 127], Format::Fvecs),
        (&[255, 255, 255, 255], Format::Bvecs),
        (&[0, 0, 0, 0], Format::Bvecs),
        (&[255, 255, 255, 255, 0, 0, 1, 0], Format::Fbin),
        (&[1, 0, 0], Format::Fbin),
    ];
    for (bytes, format) in claims {
        let failure = VectorFile::read(Source::memory("v", bytes.to_vec()), format).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::InvalidInput, "{bytes:?}");
    }
}

#[test]
fn every_truncation_is_an_error_and_never_a_panic() {
    let mut fbin = [3_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    fbin.extend(floats(&[1.0, 2.0, 3.0]));
    for len in 0..fbin.len() {
        assert!(VectorFile::read(Source::memory("v", fbin[..len].to_vec()), Format::Fbin).is_err(), "cut at {len}");
    }
    let vecs = fvecs(&[&[1.0, 2.0], &[3.0, 4.0]]);
    for len in (0..vecs.len()).filter(|len| *len != 12) {
        assert!(VectorFile::read(Source::memory("v", vecs[..len].to_vec()), Format::Fvecs).is_err(), "cut at {len}");
    }
}

#[test]
fn the_end_of_the_name_tells_the_format() {
    assert_eq!(Format::of(Path::new("a/b.npy")).unwrap(), Format::Npy);
    assert_eq!(Format::of(Path::new("b.fbin")).unwrap(), Format::Fbin);
    for name in ["b", "b.txt", "npy", ".npy"] {
        assert_eq!(Format::of(Path::new(name)).unwrap_err().kind, ErrorKind::Usage, "{name}");
    }
}

#[test]
fn the_demo_vectors_open() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/vectors.npy");
    let file = VectorFile::open(&platform::fs::OsFileSystem::new(), &path).unwrap();
    assert_eq!((file.rows(), file.dim(), file.element()), (5_000, 384, VectorElement::F16));
    assert_eq!(file.read_rows(4_900, 100).unwrap().len(), 100);
}
