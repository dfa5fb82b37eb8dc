//! What `info` says of memory is what a process grows by when it opens a collection and searches it.
#![cfg(target_os = "linux")]

use engine::Database;
use engine::collection::{Mode, SearchRequest};
use engine::database::DatabaseOptions;
use engine::payload::Filter;
use engine::segment::SearchScratch;
use index::Kernels;
use platform::World;
use platform::random::Stream;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROWS: usize = 50_000;
const DIM: usize = 96;
/// Tells the child which database to measure.
const CHILD: &str = "VECTRA_MEMORY_TEST_DIR";
/// Where the child leaves what it measured and what was said, beside the data.
const MEASURED: &str = "measured";

/// A directory, removed in the end.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = World::real().fs.remove_dir_all(&self.0);
    }
}

impl Place {
    fn new() -> Self {
        let world = World::real();
        let dir = std::env::temp_dir().join(format!("vectra-memory-test-{:016x}", world.random.u64()));
        world.fs.create_dir_all(&dir).expect("the directory can be made");
        Place(dir)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        platform::fs::write_file_durably(&*World::real().fs, &path, bytes).expect("the file can be written");
        path.display().to_string()
    }

    fn ok(&self, line: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vectra"));
        let output = command.env_clear().arg("--data-dir").arg(self.0.join("data")).args(line.split_whitespace()).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Points around a few centres, each with a word.
fn fill(place: &Place) {
    let mut stream = Stream::new(41);
    let centres: Vec<Vec<f32>> = (0..200).map(|_| (0..DIM).map(|_| 2.0 * stream.gaussian()).collect()).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ROWS}, {DIM})}}");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    let mut payload = String::new();
    for row in 0..ROWS {
        let centre = &centres[stream.below(200) as usize];
        npy.extend(centre.iter().flat_map(|x| (x + stream.gaussian()).to_le_bytes()));
        payload.push_str(&format!("{{\"word\":\"w{}\"}}\n", row % 100));
    }
    let (vectors, payload) = (place.write("v.npy", &npy), place.write("p.jsonl", payload.as_bytes()));
    place.ok("collections create c --dim 96 --distance euclid");
    place.ok("collections field-index c word --type keyword");
    place.ok(&format!("import c --vectors {vectors} --payload {payload}"));
}

/// Adds up what is resident of the heap and of mapped files of segments. The log holds vectors and payloads, not the index; the rest
/// is the program itself.
fn resident() -> u64 {
    let maps = platform::fs::read_file(&*World::real().fs, Path::new("/proc/self/smaps")).expect("the kernel tells");
    let (mut sum, mut counts) = (0, false);
    for line in String::from_utf8_lossy(&maps).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [range, _, _, _, _, rest @ ..] if range.contains('-') => {
                counts = rest.is_empty() || rest[0] == "[heap]" || rest[0].contains("/segments/");
            }
            ["Rss:", kib, "kB"] if counts => sum += kib.parse::<u64>().expect("a number") * 1024,
            _ => {}
        }
    }
    sum
}

/// Not a test of its own: opens, searches and measures where [`CHILD`] says.
#[test]
fn a_process_of_its_own_that_the_other_test_starts() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let before = resident();
    let database = Database::open_read(&World::real(), Path::new(&dir), DatabaseOptions::default()).expect("the database opens");
    let collection = database.collection("c").expect("the collection opens");
    let version = collection.version();
    let (mut stream, mut scratch) = (Stream::new(7), SearchScratch::default());
    let filter = Filter::parse("{\"must\":[{\"key\":\"word\",\"match\":{\"value\":\"w7\"}}]}").expect("a filter");
    for asked in 0..200 {
        let query: Vec<f32> = (0..DIM).map(|_| 2.0 * stream.gaussian()).collect();
        let filter = (asked % 10 == 0).then_some(&filter);
        let request = SearchRequest { part: 1, query: &query, top: 10, mode: Mode::Walk(200), filter };
        assert_eq!(version.search(Kernels::detect(), &request, &mut scratch).expect("an answer").len(), 10);
    }
    drop(scratch);
    let said: u64 = version.info().memory_bytes.values().sum();
    let line = format!("{} {said} {:?}", resident() - before, version.info().memory_bytes);
    platform::fs::write_file_durably(&*World::real().fs, &Path::new(&dir).with_file_name(MEASURED), line.as_bytes()).expect("written");
}

#[test]
fn the_memory_that_info_tells_is_what_a_process_grows_by() {
    let place = Place::new();
    fill(&place);
    let mut child = Command::new(std::env::current_exe().expect("this program has a path"));
    child.args(["--exact", "a_process_of_its_own_that_the_other_test_starts", "--test-threads=1"]);
    let output = child.env(CHILD, place.0.join("data")).output().expect("the child runs");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let line = platform::fs::read_file(&*World::real().fs, &place.0.join(MEASURED)).expect("the child measured");
    let line = String::from_utf8_lossy(&line);
    let numbers: Vec<f64> = line.split_whitespace().take(2).map(|number| number.parse().expect("a number")).collect();
    let (measured, said) = (numbers[0], numbers[1]);
    assert!(said > (ROWS * (DIM + 128)) as f64, "codes and graph alone take more: {line}");
    assert!((measured / said - 1.0).abs() <= 0.2, "{line}");
}
