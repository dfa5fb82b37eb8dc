//! Segments: immutable indexes over a range of the log, as a few objects each.
//!
//! A segment holds no vectors and no payloads, only where they stand in the log: ids with a membership filter, presence, addresses,
//! field indexes, quantised vectors ("codes"), and for an indexed segment a graph over the codes or lists of 1-bit codes. Everything here is derived from the log.
//! Builders return bytes and readers take [`bytes::Bytes`]; nothing here touches a file. The bytes are in `docs/format/segment.md`.
//!
//! A row has parts: part 0 is the point with its payload, part i is named vector i. Each part may be absent, and dies by itself.

pub mod accepted;
pub mod addresses;
pub mod blocks;
pub mod build;
pub mod deletes;
pub mod graph;
pub mod handle;
pub mod ivf;
pub mod marks;
pub mod membership;
pub mod meta;
pub mod rows;
pub mod search;
pub mod source;
#[cfg(test)]
mod testing;
pub mod tuning;
pub mod vectors;
pub mod verify;

pub use accepted::Accepted;
pub use addresses::build_addresses;
pub use build::{FlatInput, FlatRow, build_flat, build_rows};
pub use graph::{GraphBuild, MergeInput, TAG_GRAPH, build_graph, merge_graphs};
pub use handle::Segment;
pub use ivf::{ListsBuild, build_lists};
pub use meta::{ObjectMeta, SegmentKind, SegmentMeta};
pub use search::{Hit, SearchContext, SearchScratch, Undecided, exact_distances, search_part, search_undecided};
pub use source::VectorSource;
pub use tuning::{RECALL_UNIT, Tuning, TuningPoint, add_tuning};
pub use vectors::VectorPart;

/// The address of a part that a row does not have.
pub const ABSENT: u64 = u64::MAX;

/// The most parts that a row can have: the point and its named vectors.
pub const PARTS_MAX: u32 = 1024;

#[cfg(test)]
mod tests;
