//! How a vector is indexed: the kind of index, its parameters, and what searches may keep in memory.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Largest part of a segment's graph degree that a schema may ask for.
const M_MAX: u32 = 128;
/// Largest effort of a graph build that a schema may ask for.
const EF_CONSTRUCTION_MAX: u32 = 4096;

/// What kind of index a vector gets when its rows are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexKind {
    /// A graph.
    Hnsw,
    /// Lists of near vectors in 1-bit codes.
    Ivf,
    /// None: codes are scanned.
    Flat,
}

impl IndexKind {
    /// Every kind, in the order of help and documents.
    pub const ALL: [IndexKind; 3] = [IndexKind::Hnsw, IndexKind::Ivf, IndexKind::Flat];

    /// Names the kind as schemas do.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            IndexKind::Hnsw => "hnsw",
            IndexKind::Ivf => "ivf",
            IndexKind::Flat => "flat",
        }
    }
}

/// What the searches of a vector may keep in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// Whatever makes searches fast.
    #[default]
    Fast,
    /// The graph and the codes as they are stored, and nothing beside them.
    Compact,
    /// Only the 1-bit codes of an `ivf` index; everything else is read where it lies on disk.
    Low,
}

impl Memory {
    /// Every mode, in the order of help and documents.
    pub const ALL: [Memory; 3] = [Memory::Fast, Memory::Compact, Memory::Low];

    /// Names the mode as schemas do.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Memory::Fast => "fast",
            Memory::Compact => "compact",
            Memory::Low => "low",
        }
    }

    /// Serde: schemas of before there were modes stay byte for byte what they are.
    fn is_fast(&self) -> bool {
        *self == Memory::Fast
    }
}

/// Parameters of a vector's index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexParams {
    /// Its kind.
    pub kind: IndexKind,
    /// Neighbours of a node above the bottom level; twice as many at the bottom.
    pub m: u32,
    /// Candidates kept while the graph is built.
    pub ef_construction: u32,
    /// Seed of the build; the same rows and seed give the same bytes.
    pub seed: u64,
    /// What searches may keep in memory; `low` goes with the kind `ivf` and no other.
    #[serde(default, skip_serializing_if = "Memory::is_fast")]
    pub memory: Memory,
}

impl Default for IndexParams {
    fn default() -> Self {
        IndexParams { kind: IndexKind::Hnsw, m: 16, ef_construction: 128, seed: 42, memory: Memory::Fast }
    }
}

impl IndexParams {
    /// Gives the parameters with a memory mode, and the kind of index that goes with it where the present one does not.
    #[must_use]
    pub fn with_memory(self, memory: Memory) -> Self {
        let kind = match (memory, self.kind) {
            (Memory::Low, _) => IndexKind::Ivf,
            (_, IndexKind::Ivf) => IndexKind::Hnsw,
            (_, kind) => kind,
        };
        IndexParams { kind, memory, ..self }
    }

    /// Gives the parameters with a kind of index, and the memory mode that goes with it where the present one does not.
    #[must_use]
    pub fn with_kind(self, kind: IndexKind) -> Self {
        let memory = match (kind, self.memory) {
            (IndexKind::Ivf, _) => Memory::Low,
            (_, Memory::Low) => Memory::Fast,
            (_, memory) => memory,
        };
        IndexParams { kind, memory, ..self }
    }

    /// Checks limits, and that kind and memory mode go together.
    ///
    /// # Errors
    /// `InvalidInput` saying what is possible.
    pub fn check(&self) -> Result<()> {
        if self.m < 2 || self.m > M_MAX {
            return Err(Error::invalid("the m of an index is out of bounds").with_expected(format!("2 to {M_MAX}"), self.m));
        }
        if self.ef_construction > EF_CONSTRUCTION_MAX {
            return Err(Error::invalid("the ef_construction of an index is out of bounds")
                .with_expected(format!("at most {EF_CONSTRUCTION_MAX}"), self.ef_construction));
        }
        if (self.kind == IndexKind::Ivf) != (self.memory == Memory::Low) {
            return Err(Error::invalid("the kind of the index and its memory mode do not go together")
                .with_expected(
                    "\"ivf\" with \"low\", or \"hnsw\" or \"flat\" with \"fast\" or \"compact\"",
                    format!("\"{}\" with \"{}\"", self.kind.name(), self.memory.name()),
                )
                .with_hint("give only one of the two: the other follows"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_and_a_memory_mode_that_do_not_go_together_are_refused_and_the_missing_one_follows() {
        for kind in IndexKind::ALL {
            IndexParams::default().with_kind(kind).check().unwrap();
            for memory in Memory::ALL {
                let params = IndexParams { kind, memory, ..IndexParams::default() };
                let go_together = (kind == IndexKind::Ivf) == (memory == Memory::Low);
                assert_eq!(params.check().is_ok(), go_together, "{params:?}");
                params.clone().with_memory(memory).check().unwrap();
                params.with_kind(kind).check().unwrap();
            }
        }
    }
}
