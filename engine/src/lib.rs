//! Durable collections: log, segments, manifests, recovery and search.

pub mod archived;
pub mod batch;
pub mod catalog;
pub mod clock;
pub mod codec;
pub mod collection;
pub mod database;
pub mod error;
pub mod ids;
pub mod install;
pub mod log;
pub mod manifest;
pub mod object_file;
pub mod payload;
pub mod reserve;
pub mod schema;
pub mod segment;
pub mod tail;
#[cfg(test)]
mod testing;
pub mod timings;

pub use batch::{Batch, Point};
pub use collection::Collection;
pub use database::Database;
pub use error::{Error, ErrorKind, Result};
pub use ids::{CommitTime, Incarnation, Lsn, PointId, SegmentId, Timeline};
pub use index::Kernels;
pub use schema::{Distance, Schema, VectorSchema};
