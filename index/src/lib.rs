//! Vectors in, neighbours out: kernels, exact search and graphs, as pure computation.
//!
//! Nothing here opens a file, reads a clock, starts a thread or draws unseeded randomness: the same
//! slices and the same seed give the same bytes and the same answers on every instruction set.

pub mod bounded;
pub mod codes;
mod draw;
pub mod filter;
pub mod flat;
pub mod hnsw;
pub mod ivf;
pub mod metric;
mod one_bit;
pub mod recall;
pub mod sieve;
pub mod simd;
#[cfg(test)]
mod testing;

pub use bounded::BoundedCodes;
pub use codes::{CodeParams, CodeQuery, CodesBuf, CodesView, QueryCode};
pub use filter::Bitmap;
pub use flat::TopK;
pub use metric::{Datatype, Metric};
pub use sieve::{Sieve, SieveQuery, SieveSpace};
pub use simd::{Isa, Kernels};
