//! One door for each part of the outside world: which paths may be named where.

use super::paths::named_paths;
use super::{Control, File, Offence, Rule, rust_files};

/// A path that only some files may name.
struct Door {
    /// The path, without a leading `::`.
    path: &'static str,
    /// Files that may name it: path prefixes from the root of the repository.
    open_in: &'static [&'static str],
    /// What the others use.
    instead: &'static str,
}

/// A file or folder, and the paths that it may not name.
struct Room {
    within: &'static str,
    closed_to: &'static [&'static str],
    because: &'static str,
}

const TAKE_IT: &str = "`index` is pure computation: take it as an argument";

const INDEX_DOORS: [Door; 8] = [
    Door { path: "std::fs", open_in: &[], instead: TAKE_IT },
    Door { path: "std::path", open_in: &[], instead: TAKE_IT },
    Door { path: "std::time", open_in: &[], instead: TAKE_IT },
    Door { path: "std::net", open_in: &[], instead: TAKE_IT },
    Door { path: "std::env", open_in: &[], instead: TAKE_IT },
    Door { path: "std::process", open_in: &[], instead: TAKE_IT },
    Door { path: "std::thread::spawn", open_in: &[], instead: "run jobs on the `Executor` that the caller gives" },
    Door { path: "std::thread::scope", open_in: &[], instead: "run jobs on the `Executor` that the caller gives" },
];

const OBJECT_STORE: &[&str] = &["platform/src/object_store/real", "platform/src/object_store/remote"];

const HTTP: &[&str] = &["platform/src/http/"];
const TOKIO: &[&str] = &["platform/src/object_store/real", "platform/src/object_store/remote", "platform/src/http/"];
const BLOCKING: &str = "platform::object_store or platform::http, which block";

/// Crates that one file wraps. Tests, fuzzers and benches are not the product: they are left alone.
const CRATE_DOOR_LIST: [Door; 12] = [
    Door { path: "tokio", open_in: TOKIO, instead: BLOCKING },
    Door { path: "tokio_rustls", open_in: HTTP, instead: "platform::http" },
    Door { path: "futures_util", open_in: TOKIO, instead: BLOCKING },
    Door { path: "hyper", open_in: HTTP, instead: "platform::http" },
    Door { path: "hyper_util", open_in: HTTP, instead: "platform::http" },
    Door { path: "httparse", open_in: HTTP, instead: "platform::http" },
    Door { path: "object_store", open_in: OBJECT_STORE, instead: "crate::object_store, the blocking trait" },
    Door { path: "reqwest", open_in: OBJECT_STORE, instead: "platform::object_store" },
    Door { path: "rustls", open_in: TOKIO, instead: BLOCKING },
    Door {
        path: "memmap2",
        open_in: &["platform/src/fs/mmap.rs", "platform/src/memory.rs"],
        instead: "platform::fs::File::map or platform::memory",
    },
    Door { path: "getrandom", open_in: &["platform/src/random"], instead: "platform::random" },
    Door { path: "rustix", open_in: &["platform/src/"], instead: "platform::fs or platform::process" },
];

const SIMD: &[&str] = &["index/src/simd"];
const KERNELS: &str = "index::simd: it looks at the CPU once and hands a table of kernels down";

const CPU_DOORS: [Door; 5] = [
    Door { path: "std::arch", open_in: SIMD, instead: KERNELS },
    Door { path: "core::arch", open_in: SIMD, instead: KERNELS },
    Door { path: "is_x86_feature_detected", open_in: SIMD, instead: KERNELS },
    Door { path: "is_aarch64_feature_detected", open_in: SIMD, instead: KERNELS },
    Door { path: "std::simd", open_in: SIMD, instead: KERNELS },
];

const WORLD: &[&str] = &["platform::fs", "platform::clock", "platform::random", "platform::World"];
const PURE_PLAN: &str = "a plan is a pure function of listings: read the world in the executor and pass what was read";
const BELOW: &str = "this room lies below `collection`: return what it needs instead of calling it";

/// Folder edges that the design closes. Add one when a boundary is agreed on.
const ROOM_LIST: [Room; 11] = [
    Room { within: "pitr/src/backup/plan", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "pitr/src/restore/plan", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "pitr/src/history/map", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "pitr/src/history/resolve", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "pitr/src/history/tenure", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "pitr/src/archive/reachable", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "pitr/src/archive/retention", closed_to: WORLD, because: PURE_PLAN },
    Room { within: "engine/src/codec", closed_to: &["crate::log", "crate::segment", "crate::collection"], because: BELOW },
    Room { within: "engine/src/log", closed_to: &["crate::collection"], because: BELOW },
    Room { within: "engine/src/segment", closed_to: &["crate::collection"], because: BELOW },
    Room { within: "engine/src/manifest", closed_to: &["crate::collection"], because: BELOW },
];

/// The index crate computes: it sees no file, no clock, no thread of its own.
pub const INDEX_IS_PURE: Rule = Rule { name: "index-is-pure", check: index_is_pure, controls: index_controls };

/// A third-party crate that reaches the world is named behind its door only.
pub const CRATE_DOORS: Rule = Rule { name: "crate-doors", check: crate_doors, controls: crate_controls };

/// One place looks at the CPU and names its instructions.
pub const CPU_DETECTION: Rule = Rule { name: "cpu-detection", check: cpu_detection, controls: cpu_controls };

/// Rooms of a crate know only the rooms below them.
pub const ROOMS: Rule = Rule { name: "rooms", check: rooms, controls: room_controls };

fn index_is_pure(files: &[File]) -> Vec<Offence> {
    let of_index = |file: &File| file.crate_folder() == "index" && !file.is_test_file();
    closed_doors(files, &INDEX_DOORS, of_index)
}

fn crate_doors(files: &[File]) -> Vec<Offence> {
    let of_product = |file: &File| !["tests", "fuzz", "benches"].contains(&file.crate_folder());
    closed_doors(files, &CRATE_DOOR_LIST, of_product)
}

fn cpu_detection(files: &[File]) -> Vec<Offence> {
    closed_doors(files, &CPU_DOORS, |_| true)
}

fn closed_doors(files: &[File], doors: &[Door], applies: impl Fn(&File) -> bool) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files).filter(|(file, _)| applies(file)) {
        for named in named_paths(&rust.code_outside_tests()) {
            let closed =
                doors.iter().find(|door| named.is_within(door.path) && !door.open_in.iter().any(|prefix| file.path.starts_with(prefix)));
            if let Some(door) = closed {
                let message = format!("`{}` is banned here; use {}", door.path, door.instead);
                offences.push(file.offence(named.line, message));
            }
        }
    }
    offences
}

fn rooms(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files).filter(|(file, _)| !file.is_test_file()) {
        for room in ROOM_LIST.iter().filter(|room| is_in_room(&file.path, room.within)) {
            for named in named_paths(&rust.code_outside_tests()) {
                if let Some(closed) = room.closed_to.iter().find(|closed| named.is_within(closed)) {
                    let message = format!("`{closed}` may not be named here: {}", room.because);
                    offences.push(file.offence(named.line, message));
                }
            }
        }
    }
    offences
}

/// True for `room.rs` and for what lies in the folder `room/`.
fn is_in_room(path: &str, room: &str) -> bool {
    path.strip_prefix(room).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn index_controls() -> Vec<Control> {
    vec![
        Control::of_place("//! A.\nuse std::{fs, fmt};\n", "index/src/a.rs", "`std::fs` is banned", "engine/src/a.rs"),
        Control::of_text(
            "index/src/a.rs",
            "//! A.\nfn a() { std::thread::spawn(|| {}); }\n",
            "`Executor`",
            "//! A.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { std::thread::scope(|_| {}); }\n}\n",
        ),
        Control::of_text(
            "index/src/a.rs",
            "//! A.\nuse std::time::Instant;\n",
            "`std::time` is banned",
            "//! A. Not `std::time::Instant`.\nuse std::sync::Arc;\n",
        ),
    ]
}

fn crate_controls() -> Vec<Control> {
    let tokio = "//! A.\nuse tokio::runtime::Runtime;\n";
    let store = "//! A.\nuse ::object_store::local::LocalFileSystem;\n";
    let map = "//! A.\nfn a() { let _ = memmap2::MmapOptions::new(); }\n";
    vec![
        Control::of_place(tokio, "engine/src/a.rs", "`tokio` is banned", "platform/src/object_store/real.rs"),
        Control::of_place(tokio, "server/src/a.rs", "`tokio` is banned", "platform/src/http/serve.rs"),
        Control::of_place("//! A.\nuse hyper::Request;\n", "platform/src/http.rs", "`hyper` is banned", "platform/src/http/exchange.rs"),
        Control::of_place(store, "platform/src/lib.rs", "`object_store`", "platform/src/object_store/real/directory.rs"),
        Control::of_place(map, "platform/src/fs/os.rs", "platform::fs::File::map", "platform/src/fs/mmap.rs"),
        Control::of_text("pitr/src/a.rs", store, "`object_store`", "//! A.\nuse platform::object_store::ObjectStore;\n"),
    ]
}

fn cpu_controls() -> Vec<Control> {
    let macro_call = "//! A.\nfn a() -> bool { is_x86_feature_detected!(\"avx2\") }\n";
    let intrinsics = "//! A.\nuse std::arch::x86_64::*;\n";
    vec![
        Control::of_place(macro_call, "index/src/hnsw/search.rs", "index::simd", "index/src/simd.rs"),
        Control::of_place(intrinsics, "engine/src/a.rs", "`std::arch` is banned", "index/src/simd/avx2.rs"),
    ]
}

fn room_controls() -> Vec<Control> {
    vec![
        Control::of_text(
            "pitr/src/restore/plan.rs",
            "//! A.\nuse platform::fs::FileSystem;\n",
            "a plan is a pure function",
            "//! A.\nuse platform::object_store::ObjectMeta;\n",
        ),
        Control::of_place(
            "//! A.\nfn a() { crate::collection::open(); }\n",
            "engine/src/log/reader.rs",
            "`crate::collection` may not be named here",
            "engine/src/logs.rs",
        ),
    ]
}
