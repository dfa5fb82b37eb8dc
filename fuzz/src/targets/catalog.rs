//! The catalog: entries as text, and a log of them.
//!
//! Input: lines of JSON, each one entry. Those that read are put into a catalog's log, in their order, and read back.

use std::path::Path;

use engine::catalog::{CatalogEntry, Origin, read_state};
use engine::ids::Incarnation;
use engine::log::LogWriter;
use engine::log::record::{RecordDraft, RecordKind, SectionKind};
use platform::sim::SimWorld;

use super::{Target, fixture};

/// See the top of this file.
pub const TARGET: Target = Target { name: "catalog", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "{\"op\":\"drop\",\"name\":\"a\"}\n",
    "{\"op\":\"delete_alias\",\"alias\":\"x\"}\n",
    "{\"op\":\"purge\",\"incarnation\":\"01010101010101010101010101010101\"}\n",
    "\"op\":",
    "\"origin\":{\"from\":\"created\"}",
    "../",
    "\\u0000",
    "\n",
];

fn run(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let sim = SimWorld::new(1);
    let (world, dir) = (sim.world(), engine::catalog::dir(Path::new("/data")));
    world.fs.create_dir_all(&dir).expect("a simulated disk makes directories");
    let mut log = LogWriter::start(&world, &dir, fixture::TIMELINE, 0).expect("a log starts");
    for (time, line) in (1..).zip(text.lines().take(64)) {
        if let Ok(entry) = CatalogEntry::from_json(line) {
            let again = CatalogEntry::from_json(&entry.to_json()).expect("what was read can be written and read");
            assert!(again == entry, "an entry reads back as it was");
        } else if line.len() > 4096 {
            continue;
        }
        // The line as it came, so that entries which do not read are met in the log too.
        let mut draft = RecordDraft::new(RecordKind::Catalog, 0);
        draft.section(SectionKind::Json, 0, 0, 1, line.as_bytes().to_vec());
        log.append(&draft, time).expect("a disk without faults takes a record");
    }
    log.sync().expect("a disk without faults syncs");
    let Ok(view) = read_state(&world, Path::new("/data")) else { return false };
    for name in view.state.collections.keys().chain(view.state.aliases.keys()) {
        let _ = (view.state.resolve(name), view.state.aliases_of(name));
    }
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let name = |name: &str| name.to_owned();
    let restored = Origin::Restored { name: name("old"), timeline: fixture::TIMELINE, lsn: 4096 };
    let life = |byte: u8| Incarnation([byte; 16]);
    let entries = [
        CatalogEntry::Create { name: name("a"), incarnation: life(1), origin: Origin::Created },
        CatalogEntry::Create { name: name("b"), incarnation: life(2), origin: restored.clone() },
        CatalogEntry::SetAlias { alias: name("x"), name: name("a") },
        CatalogEntry::Replace { name: name("a"), incarnation: life(3), origin: restored },
        CatalogEntry::Drop { name: name("b") },
        CatalogEntry::Undrop { name: name("c"), incarnation: life(2) },
        CatalogEntry::DeleteAlias { alias: name("x") },
        CatalogEntry::Purge { incarnation: life(1) },
    ];
    let lines: Vec<String> = entries.iter().map(CatalogEntry::to_json).collect();
    vec![lines.join("\n").into_bytes(), lines[0].clone().into_bytes()]
}
