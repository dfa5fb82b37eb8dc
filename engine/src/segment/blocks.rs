//! Walk blocks of a vector part: codes and lists once more in memory, laid out for walks, once a segment is searched often.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use index::codes::CodesView;
use index::hnsw::{BlocksShape, BlocksView, GraphView};
use platform::memory::HugeBuffer;

/// Walks that go over the objects as they are stored before blocks are made: a command that searches once does not wait for them. The
/// answers are the same.
const WALKS_BEFORE: u32 = 32;

/// The blocks of one part, made when they are worth it.
#[derive(Debug, Default)]
pub struct WalkBlocks {
    walks: AtomicU32,
    made: OnceLock<(BlocksShape, HugeBuffer)>,
}

impl WalkBlocks {
    /// Gives the blocks for one more walk; `None` as long as there are none, also where the system has no memory for them.
    pub fn for_walk(&self, graph: &GraphView<'_>, codes: &CodesView<'_>) -> Option<BlocksView<'_>> {
        if let Some((shape, memory)) = self.made.get() {
            return Some(shape.view(memory));
        }
        // One search makes them; the others go on without.
        if self.walks.fetch_add(1, Ordering::Relaxed) != WALKS_BEFORE {
            return None;
        }
        let shape = BlocksShape::new(graph, codes);
        let mut memory = HugeBuffer::zeroed(shape.bytes()).ok()?;
        shape.fill(graph, codes, &mut memory);
        let (shape, memory) = self.made.get_or_init(|| (shape, memory));
        Some(shape.view(memory))
    }

    /// Gives the bytes of memory that the blocks take now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.made.get().map_or(0, |(_, memory)| memory.len() as u64)
    }
}
