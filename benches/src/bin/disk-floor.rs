//! What the disk gives: `disk-floor DIR BYTES COUNT` writes COUNT blocks of BYTES behind each other, one fdatasync each, and prints two
//! JSON lines: into a file that was zeroed before (the zeros are not counted), and into a file that grows.

use std::path::Path;

use platform::clock::{Clock, OsClock};
use platform::fs::{FileSystem, OpenMode, OsFileSystem};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "disk-floor DIR BYTES COUNT";
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok()).expect(usage);
    let path = Path::new(arguments.first().expect(usage)).join("disk-floor.tmp");
    for zeroed in [true, false] {
        let seconds = measure(&path, number(1), number(2), zeroed);
        let (bytes, count) = (number(1), number(2));
        let line = format!(
            "{{\"name\":\"disk_floor\",\"zeroed\":{zeroed},\"bytes\":{bytes},\"count\":{count},\"seconds\":{seconds:.3},\"syncs_per_s\":{:.0},\"mb_per_s\":{:.1}}}\n",
            count as f64 / seconds,
            (bytes * count) as f64 / seconds / 1e6
        );
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("stdout takes a line");
    }
}

/// Gives the seconds that the blocks took.
fn measure(path: &Path, bytes: u64, count: u64, zeroed: bool) -> f64 {
    let (fs, clock) = (OsFileSystem::new(), OsClock::new());
    let file = fs.open(path, OpenMode::CreateNew).expect("the folder can be written");
    let block = vec![0xA5_u8; bytes as usize];
    if zeroed {
        let zeros = vec![0_u8; 1 << 20];
        for at in (0..bytes * count).step_by(zeros.len()) {
            file.write_all_at(&zeros, at).expect("the disk takes zeros");
        }
    }
    file.sync_all().expect("the disk syncs");
    let started = clock.monotonic_micros();
    for index in 0..count {
        file.write_all_at(&block, index * bytes).expect("the disk takes a block");
        file.sync_data().expect("the disk syncs");
    }
    let seconds = (clock.monotonic_micros() - started) as f64 / 1e6;
    fs.remove_file(path).expect("the file goes again");
    seconds
}
