//! What a graph is built with.

/// Most nodes that one graph can hold: the walk keeps a flag beside the node in 32 bits.
pub const MAX_NODES: usize = (1 << 31) - 1;

/// Largest number of neighbours a node may have on any level.
pub(super) const MAX_NEIGHBOURS: u32 = 512;

const MAX_EF: u32 = 1 << 16;

/// Parameters of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Most neighbours of a node on the levels above the lowest.
    pub m: u32,
    /// Most neighbours of a node on the lowest level.
    pub m0: u32,
    /// Candidates kept while a node's neighbours are searched.
    pub ef_construction: u32,
    /// Decides levels and the order of insertion.
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Params { m: 16, m0: 32, ef_construction: 128, seed: 0 }
    }
}

impl Params {
    /// What is wrong with the parameters, if anything.
    ///
    /// # Errors
    ///
    /// A sentence that names the parameter and its limits.
    pub fn validate(&self) -> Result<(), String> {
        if !(2..=MAX_NEIGHBOURS).contains(&self.m) {
            return Err(format!("m is {} (expected 2 to {MAX_NEIGHBOURS})", self.m));
        }
        if !(self.m..=MAX_NEIGHBOURS).contains(&self.m0) {
            return Err(format!("m0 is {} (expected m, {}, to {MAX_NEIGHBOURS})", self.m0, self.m));
        }
        if !(1..=MAX_EF).contains(&self.ef_construction) {
            return Err(format!("ef_construction is {} (expected 1 to {MAX_EF})", self.ef_construction));
        }
        Ok(())
    }

    /// Most neighbours of a node on `level`.
    pub(super) fn capacity(&self, level: usize) -> usize {
        (if level == 0 { self.m0 } else { self.m }) as usize
    }
}
