//! Writes generated points as files that `vectra import` and `vectra bench search` read: `make-data OUT_DIR POINTS DIM [QUERIES]`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use platform::fs::{File, FileSystem, OpenMode, OsFileSystem};
use vectra_cli::generate::Generator;

/// Seed of all generated files.
const SEED: u64 = 20_231_027;
/// Bytes collected before they are written.
const CHUNK: usize = 8 << 20;

/// A file that is written front to back.
struct Out {
    file: Arc<dyn File>,
    at: u64,
    buffer: Vec<u8>,
}

impl Out {
    fn create(path: &Path) -> Self {
        let file = OsFileSystem::new().open(path, OpenMode::CreateNew).expect("the file is new and the folder can be written");
        Out { file, at: 0, buffer: Vec::new() }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.file.write_all_at(&self.buffer, self.at).expect("the disk takes the file");
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
    }
}

fn write_vectors(path: &Path, part: u64, rows: u64, dim: usize) {
    let mut out = Out::create(path);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
    header.push('\n');
    out.put(b"\x93NUMPY\x01\x00");
    out.put(&(header.len() as u16).to_le_bytes());
    out.put(header.as_bytes());
    let (mut generator, mut vector) = (Generator::new(SEED, part, dim), Vec::new());
    for _ in 0..rows {
        generator.vector(&mut vector);
        vector.iter().for_each(|value| out.put(&value.to_le_bytes()));
    }
    out.flush();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: Option<u64>| {
        let given = arguments.get(at).map(|text| text.parse().expect("a number"));
        given.or(default).expect("make-data OUT_DIR POINTS DIM [QUERIES]")
    };
    let dir = Path::new(arguments.first().expect("make-data OUT_DIR POINTS DIM [QUERIES]"));
    let (rows, dim, queries) = (number(1, None), number(2, None) as usize, number(3, Some(1000)));
    OsFileSystem::new().create_dir_all(dir).expect("the folder can be made");
    write_vectors(&dir.join("vectors.npy"), 0, rows, dim);
    write_vectors(&dir.join("queries.npy"), 1, queries, dim);
    let mut out = Out::create(&dir.join("payload.jsonl"));
    for row in 0..rows {
        writeln!(out.buffer, "{}", Generator::payload(row)).expect("memory takes a line");
        out.put(b"");
    }
    out.flush();
}
