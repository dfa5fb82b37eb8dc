//! Where full vectors come from: the log, or whatever stands in for it.

use crate::error::Result;
use crate::ids::Lsn;

/// Gives the stored bytes of vectors by their addresses.
///
/// The index side never holds a base pointer into the data: the source checks residency and checksums, reads ahead in batches, and may
/// fetch what a lazy restore has not brought yet.
pub trait VectorSource: Send + Sync {
    /// Appends the bytes of each vector to `out`, in the order of the addresses (LSN of a vector's first byte).
    ///
    /// # Errors
    /// `Corrupt` when an address is no vector or its bytes are damaged, `Io` or `Unreachable` when they cannot be read.
    fn gather<'a>(&'a self, addresses: &[Lsn], bytes_per_vector: usize, out: &mut Vec<&'a [u8]>) -> Result<()>;
}
