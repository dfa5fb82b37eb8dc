//! A graph as bytes, read in place and built in place. The envelope around them, with checksums, belongs
//! to the caller.
//!
//! | offset | bytes | content |
//! | ---: | ---: | --- |
//! | 0 | 4 | version, `u32`: 3 where places lead to equal nodes, else 2 |
//! | 4 | 4 | nodes, `u32` |
//! | 8 | 4 | `m0`: places of a list on level 0, `u32` |
//! | 12 | 4 | `m`: places of a list on the levels above, `u32` |
//! | 16 | 4 | entry node, `u32`; `0xffff_ffff` in a graph without nodes |
//! | 20 | 4 | highest level, `u32` |
//! | 24 | 4 | upper nodes: nodes that are on level 1, `u32` |
//! | 28 | 4 | upper lists: lists of all upper nodes, `u32` |
//! | 32 | 4 | walk, `u32`: 0 compares the upper four bits of each code byte, 1 whole code bytes; 0 in version 1 |
//! | 36 | 28 | zero |
//! | 64 | 4 m0 a node | lists of level 0: neighbours, then `0xffff_ffff` in the free places; the last place may be 2^31 and an equal node |
//! | then | 4 an upper node | the upper nodes, ascending |
//! | then | 4 an upper node, and 4 | the first list of each, and the number of lists |
//! | then | 4 m a list | lists of the levels above: a node's level 1, its level 2, and so on |
//!
//! Nodes with equal codes form a chain: the first has a list, each leads to the next, and a walk ends the list there. The nodes behind the
//! first ascend and have no neighbours.
//!
//! All little-endian. Sections begin at multiples of 64 from the start, with zeros before them.

use crate::codes::LayoutError;
use crate::hnsw::level::MAX_LEVEL;
use crate::hnsw::params::{MAX_NEIGHBOURS, MAX_NODES, Params};
use std::ops::Range;

/// Version of the layout.
pub(super) const VERSION: u32 = 3;

/// Version of graphs without equal nodes: readers that know no others take them.
const VERSION_WITHOUT_EQUALS: u32 = 2;

/// The oldest version that is read: it does not know whole walks.
const VERSION_OLDEST: u32 = 1;

/// Bytes before the lists of level 0.
pub(super) const HEADER_BYTES: usize = 64;

/// A free place in a list; also the entry of a graph without nodes.
pub(super) const NONE: u32 = u32::MAX;

/// Added to a node in the last place of a list: it equals the owner of the list. No node is so large, so walks end there.
const EQUAL: u32 = 1 << 31;

const ALIGN: usize = 64;

/// Fewest and most seeds of a walk, the entry not counted.
const SEEDS_MIN: usize = 64;
const SEEDS_MAX: usize = 256;
const ENTRY_AT: usize = 16;
const WALK_AT: usize = 32;
const RESERVED_AT: usize = WALK_AT + 4;
const _: () = assert!(RESERVED_AT + 28 == HEADER_BYTES && HEADER_BYTES.is_multiple_of(ALIGN));

/// What the header of a checked graph says, and where its sections lie: kept beside the bytes, it spares checking them again.
#[derive(Clone, Debug)]
pub struct GraphShape {
    nodes: u32,
    m0: usize,
    m: usize,
    entry: u32,
    walks_whole: bool,
    has_equals: bool,
    max_level: u8,
    base: Range<usize>,
    upper_nodes: Range<usize>,
    upper_starts: Range<usize>,
    upper_lists: Range<usize>,
}

impl GraphShape {
    /// `None` when the sizes do not fit this machine's memory.
    fn new(header: &[u32; 9]) -> Option<Self> {
        let [version, nodes, m0, m, entry, max_level, upper_nodes, upper_lists, walk] = *header;
        let mut end = HEADER_BYTES;
        let mut section = |items: u32, item_bytes: usize| {
            let start = end.checked_next_multiple_of(ALIGN)?;
            end = start.checked_add((items as usize).checked_mul(item_bytes)?)?;
            Some(start..end)
        };
        let (m0, m) = (m0 as usize, m as usize);
        Some(GraphShape {
            base: section(nodes, m0 * 4)?,
            upper_nodes: section(upper_nodes, 4)?,
            upper_starts: section(upper_nodes.checked_add(1)?, 4)?,
            upper_lists: section(upper_lists, m * 4)?,
            nodes,
            m0,
            m,
            entry,
            walks_whole: walk == 1,
            has_equals: version > VERSION_WITHOUT_EQUALS,
            max_level: u8::try_from(max_level).ok()?,
        })
    }

    fn len(&self) -> usize {
        self.upper_lists.end
    }

    fn upper_index<'a>(&self, bytes: &'a [u8]) -> UpperIndex<'a> {
        UpperIndex { nodes: bytes[self.upper_nodes.clone()].as_chunks().0, starts: bytes[self.upper_starts.clone()].as_chunks().0 }
    }

    /// Borrows the graph from its bytes, which must be those that the shape was read from.
    ///
    /// # Panics
    ///
    /// When `bytes` have another length.
    #[must_use]
    pub fn view<'a>(&self, bytes: &'a [u8]) -> GraphView<'a> {
        assert_eq!(bytes.len(), self.len(), "the bytes that the shape was read from");
        GraphView {
            nodes: self.nodes,
            entry: self.entry,
            walks_whole: self.walks_whole,
            has_equals: self.has_equals,
            max_level: self.max_level,
            m0: self.m0,
            m: self.m,
            base: &bytes[self.base.clone()],
            upper: self.upper_index(bytes),
            upper_lists: &bytes[self.upper_lists.clone()],
        }
    }
}

/// Which nodes are on the levels above the lowest, and where their lists are.
#[derive(Clone, Copy, Debug)]
struct UpperIndex<'a> {
    nodes: &'a [[u8; 4]],
    starts: &'a [[u8; 4]],
}

impl UpperIndex<'_> {
    fn start(&self, index: usize) -> usize {
        u32::from_le_bytes(self.starts[index]) as usize
    }

    fn find(&self, node: u32) -> Option<usize> {
        self.nodes.binary_search_by_key(&node, |bytes| u32::from_le_bytes(*bytes)).ok()
    }

    fn level_of(&self, node: u32) -> usize {
        self.find(node).map_or(0, |index| self.start(index + 1) - self.start(index))
    }

    /// The number of the list of `node` on a `level` from 1; `None` when it is not on it.
    fn list(&self, node: u32, level: usize) -> Option<usize> {
        let index = self.find(node)?;
        let list = self.start(index) + level - 1;
        (list < self.start(index + 1)).then_some(list)
    }

    /// Nodes ascend, and their lists follow each other without a gap.
    fn is_sound(&self, nodes: u32, max_level: u8, lists: u32) -> bool {
        let value = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let ascending = self.nodes.is_sorted_by(|a, b| value(a) < value(b));
        let last_is_a_node = self.nodes.last().is_none_or(|last| value(last) < nodes);
        let in_turn = self.starts.windows(2).all(|pair| {
            let (start, end) = (value(&pair[0]), value(&pair[1]));
            start < end && end - start <= u32::from(max_level)
        });
        let whole = self.starts.first().map(value) == Some(0) && self.starts.last().map(value) == Some(lists);
        ascending && last_is_a_node && in_turn && whole
    }
}

/// A graph, borrowed from its bytes.
///
/// Parsing checks sizes and the index of the upper levels, not the lists: a walk leaves out neighbours
/// that are not nodes, and [`crate::hnsw::check`] finds them.
#[derive(Clone, Copy, Debug)]
pub struct GraphView<'a> {
    nodes: u32,
    entry: u32,
    walks_whole: bool,
    has_equals: bool,
    max_level: u8,
    m0: usize,
    m: usize,
    base: &'a [u8],
    upper: UpperIndex<'a>,
    upper_lists: &'a [u8],
}

impl GraphShape {
    /// Reads and checks the shape of a graph of `node_count` nodes.
    ///
    /// # Errors
    ///
    /// When the bytes are of another version, too short or too long, or contradict themselves.
    pub fn parse(bytes: &[u8], node_count: usize) -> Result<Self, LayoutError> {
        let found = bytes.len() as u64;
        let too_short = LayoutError::Length { expected: HEADER_BYTES as u64, found };
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(too_short)?;
        let (fields, _) = header.as_chunks::<4>();
        let fields = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|field| u32::from_le_bytes(fields[field]));
        let [version, nodes, m0, m, entry, max_level, upper_nodes, upper_lists, walk] = fields;
        if !(VERSION_OLDEST..=VERSION).contains(&version) {
            return Err(LayoutError::Version { found: version, known: VERSION });
        }
        if nodes as usize != node_count || node_count > MAX_NODES {
            return Err(LayoutError::Field("number of nodes of the graph is not that of its rows"));
        }
        if !(1..=MAX_NEIGHBOURS).contains(&m0) || !(1..=MAX_NEIGHBOURS).contains(&m) || max_level > u32::from(MAX_LEVEL) {
            return Err(LayoutError::Field("list length or level of the graph is out of range"));
        }
        if upper_nodes > nodes || u64::from(upper_lists) > u64::from(upper_nodes) * u64::from(MAX_LEVEL) {
            return Err(LayoutError::Field("upper levels of the graph are out of range"));
        }
        if walk > u32::from(version > VERSION_OLDEST) {
            return Err(LayoutError::Field("walk of the graph is unknown"));
        }
        if (entry >= nodes && !(entry == NONE && nodes == 0)) || header[RESERVED_AT..].iter().any(|byte| *byte != 0) {
            return Err(LayoutError::Field("entry or reserved bytes of the graph are out of range"));
        }
        let shape = GraphShape::new(&fields).ok_or(LayoutError::Field("sizes of the graph do not fit memory"))?;
        let expected = shape.len() as u64;
        if found != expected {
            return Err(LayoutError::Length { expected, found });
        }
        let view = shape.view(bytes);
        let entry_on_top =
            nodes == 0 || view.upper.is_sound(nodes, view.max_level, upper_lists) && view.level_of(entry) == view.max_level();
        if !entry_on_top || (nodes == 0 && upper_lists + max_level > 0) {
            return Err(LayoutError::Field("index of the upper levels of the graph is damaged"));
        }
        Ok(shape)
    }
}

impl<'a> GraphView<'a> {
    /// Reads a graph of `node_count` nodes in place.
    ///
    /// # Errors
    ///
    /// Like [`GraphShape::parse`].
    pub fn parse(bytes: &'a [u8], node_count: usize) -> Result<Self, LayoutError> {
        GraphShape::parse(bytes, node_count).map(|shape| shape.view(bytes))
    }

    /// Number of nodes.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        self.nodes
    }

    /// True when walks compare whole codes: half of them would not tell the neighbours of these rows apart.
    #[must_use]
    pub fn walks_whole(&self) -> bool {
        self.walks_whole
    }

    /// True when nodes lead to others that equal them.
    pub(super) fn has_equals(&self) -> bool {
        self.has_equals
    }

    /// The node that comes after `node` in a chain of equal ones.
    pub(super) fn next_equal(&self, node: u32) -> Option<u32> {
        if self.has_equals { next_equal(self.base, self.m0, node) } else { None }
    }

    /// Where walks begin; `None` in a graph without nodes.
    #[must_use]
    pub fn entry(&self) -> Option<u32> {
        (self.nodes > 0).then_some(self.entry)
    }

    /// Some nodes spread over the graph, of which the nearest to a query begins its walk: of those on the upper levels, who are drawn at
    /// random, about a quarter of the root of the number of nodes. Damaged bytes may name fewer.
    pub(super) fn seeds(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (nodes, upper) = (self.nodes, self.upper.nodes);
        let wanted = (nodes.isqrt() as usize / 4).clamp(SEEDS_MIN, SEEDS_MAX).min(upper.len());
        let spread = (0..wanted).map(move |place| u32::from_le_bytes(upper[place * upper.len() / wanted]));
        self.entry().into_iter().chain(spread).filter(move |seed| *seed < nodes)
    }

    /// The highest level.
    #[must_use]
    pub fn max_level(&self) -> usize {
        usize::from(self.max_level)
    }

    /// Most neighbours of a node on `level`.
    #[must_use]
    pub fn capacity(&self, level: usize) -> usize {
        if level == 0 { self.m0 } else { self.m }
    }

    /// The highest level that `node` is on.
    #[must_use]
    pub fn level_of(&self, node: u32) -> usize {
        self.upper.level_of(node)
    }

    /// The neighbours of `node` on `level`, those that are not nodes left out. Empty when the node is not
    /// on the level.
    #[inline]
    pub fn neighbours(&self, node: u32, level: usize) -> impl Iterator<Item = u32> + use<'a> {
        let nodes = self.nodes;
        self.places(node, level).take_while(|place| *place != NONE).filter(move |neighbour| *neighbour < nodes)
    }

    /// What the last place of a list says to be equal to its owner, whether it is a node or not.
    pub(super) fn leads_to(&self, node: u32, level: usize) -> Option<u32> {
        let last = self.places(node, level).last().filter(|last| self.has_equals && level == 0 && *last != NONE)?;
        last.checked_sub(EQUAL)
    }

    /// Every place of a list as stored.
    #[inline]
    pub(super) fn places(&self, node: u32, level: usize) -> impl Iterator<Item = u32> + use<'a> {
        let list = self.list(node, level).unwrap_or(&[]);
        list.as_chunks::<4>().0.iter().map(|place| u32::from_le_bytes(*place))
    }

    /// The bytes of the lists of level 0.
    #[inline]
    pub(super) fn base(&self) -> &'a [u8] {
        self.base
    }

    #[inline]
    fn list(&self, node: u32, level: usize) -> Option<&'a [u8]> {
        if level == 0 {
            let bytes = self.m0 * 4;
            self.base.get(node as usize * bytes..(node as usize + 1) * bytes)
        } else {
            let bytes = self.m * 4;
            let list = self.upper.list(node, level)?;
            self.upper_lists.get(list * bytes..(list + 1) * bytes)
        }
    }
}

/// A graph under construction, in the bytes that it will be.
#[derive(Clone, Debug)]
pub(super) struct GraphBuf {
    bytes: Vec<u8>,
    shape: GraphShape,
}

impl GraphBuf {
    /// A graph without edges whose nodes are on these levels.
    pub(super) fn new(params: &Params, levels: &[u8]) -> Self {
        let upper = || levels.iter().zip(0_u32..).filter(|(level, _)| **level > 0);
        let lists: usize = upper().map(|(level, _)| usize::from(*level)).sum();
        let upper_count = upper().count();
        // The entry is the first of the nodes on the highest level.
        let top = levels.iter().zip(0_u32..).max_by_key(|(level, node)| (**level, u32::MAX - *node));
        let (max_level, entry) = top.map_or((0, NONE), |(level, node)| (*level, node));
        let header = [
            VERSION_WITHOUT_EQUALS,
            levels.len() as u32,
            params.m0,
            params.m,
            entry,
            u32::from(max_level),
            upper_count as u32,
            lists as u32,
            0,
        ];
        let shape = GraphShape::new(&header).unwrap_or_else(|| panic!("a graph of {} nodes does not fit memory", levels.len()));
        let mut bytes = vec![0; shape.len()];
        for (field, value) in header.iter().enumerate() {
            put(&mut bytes, field * 4, *value);
        }
        bytes[shape.base.clone()].fill(0xff);
        bytes[shape.upper_lists.clone()].fill(0xff);
        let mut start = 0;
        for (index, (level, node)) in upper().enumerate() {
            put(&mut bytes, shape.upper_nodes.start + index * 4, node);
            put(&mut bytes, shape.upper_starts.start + index * 4, start);
            start += u32::from(*level);
        }
        put(&mut bytes, shape.upper_starts.start + upper_count * 4, start);
        GraphBuf { bytes, shape }
    }

    /// The graph as it stands.
    pub(super) fn view(&self) -> GraphView<'_> {
        self.shape.view(&self.bytes)
    }

    /// Makes `entry`, a node of the highest level, the place where walks begin.
    pub(super) fn set_entry(&mut self, entry: u32) {
        assert!(entry < self.shape.nodes);
        self.shape.entry = entry;
        put(&mut self.bytes, ENTRY_AT, entry);
    }

    /// Says that walks compare whole codes.
    pub(super) fn walk_whole(&mut self) {
        self.shape.walks_whole = true;
        put(&mut self.bytes, WALK_AT, 1);
    }

    /// Lets `node` lead to `equal`, which equals it; its list has a place left.
    pub(super) fn set_equal(&mut self, node: u32, equal: u32) {
        assert!(equal < self.shape.nodes && equal != node, "node {equal} equals {node}");
        let last = self.shape.base.start + ((node as usize + 1) * self.shape.m0 - 1) * 4;
        assert!(self.bytes[last..last + 4] == NONE.to_le_bytes(), "the last place of the list of {node} is free");
        put(&mut self.bytes, last, EQUAL + equal);
        put(&mut self.bytes, 0, VERSION);
        self.shape.has_equals = true;
    }

    /// Most neighbours that the list of `node` on level 0 can have.
    pub(super) fn room(&self, node: u32) -> usize {
        self.shape.m0 - usize::from(self.view().next_equal(node).is_some())
    }

    /// Replaces the list of `node` on `level`; where the node leads to an equal one, it still does.
    pub(super) fn set_list(&mut self, node: u32, level: usize, neighbours: &[u32]) {
        let shape = &self.shape;
        assert!(neighbours.iter().all(|neighbour| *neighbour != node && *neighbour < shape.nodes));
        let (lists, places, list) = if level == 0 {
            (shape.base.clone(), shape.m0, Some(node as usize))
        } else {
            (shape.upper_lists.clone(), shape.m, shape.upper_index(&self.bytes).list(node, level))
        };
        let list = list.unwrap_or_else(|| panic!("node {node} is not on level {level}"));
        let room = if level == 0 { self.room(node) } else { places };
        assert!(neighbours.len() <= room, "a list of {} on level {level}", neighbours.len());
        let start = lists.start + list * places * 4;
        let list = &mut self.bytes[start..start + room * 4];
        for (place, bytes) in list.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *bytes = neighbours.get(place).copied().unwrap_or(NONE).to_le_bytes();
        }
    }

    /// The finished bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The node that the last place of the list of `node` leads to, by the lists of level 0.
#[inline]
pub(super) fn next_equal(lists: &[u8], degree: usize, node: u32) -> Option<u32> {
    let (places, _) = lists.as_chunks::<4>();
    let last = u32::from_le_bytes(*places.get((node as usize + 1) * degree - 1)?);
    let equal = last.checked_sub(EQUAL).filter(|_| last != NONE)?;
    ((equal as usize) < places.len() / degree && equal != node).then_some(equal)
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
