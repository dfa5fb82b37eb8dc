//! The log of one collection (or of the catalog): records in files, appended, synced, scanned and read by address.
//!
//! `docs/format/log.md` is the document of the bytes; [`record`] and [`mod@file`] are its module.

pub mod file;
pub mod lost;
pub mod moves;
pub mod outgoing;
pub mod payload_blocks;
pub mod record;
pub mod recovery;
pub mod residency;
pub mod scan;
pub mod sealed;
pub mod writer;

pub use file::LogFileName;
pub use outgoing::Outgoing;
pub use record::{Record, RecordDraft, RecordKind, SectionKind};
pub use scan::{LogEnd, Scan};
pub use sealed::{LogMap, PayloadCache};
pub use writer::LogWriter;
