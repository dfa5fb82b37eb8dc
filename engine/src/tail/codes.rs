//! Codes of the tail: its rows in chunks, each coded by a search once it is full. Whoever writes only counts; nobody waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use index::{BoundedCodes, Sieve, SieveSpace};
use parking_lot::Mutex;

use super::{Tail, TailPlace, TailRecord};
use crate::segment::VectorPart;
use crate::segment::build::Prepared;

/// A chunk is full with so many bytes of records: what is behind the last full one is compared by whole vectors.
const CHUNK_BYTES: usize = 1 << 18;
/// A chunk is full with so many rows.
const CHUNK_ROWS: usize = 4096;

/// Below this many dimensions a vector is hardly longer than its code.
const DIMS_MIN: usize = 32;

/// Below this many dimensions signs say too little of a vector.
const SIEVE_DIMS_MIN: usize = 64;

/// Says whether vectors are searched by codes at all.
pub fn are_worth_it(spec: &VectorPart) -> bool {
    spec.dim >= DIMS_MIN
}

/// Rows of the tail that are coded together: those from one place up to another.
#[derive(Debug)]
pub struct Chunk {
    /// The first row.
    pub from: TailPlace,
    /// Behind the last row.
    pub to: TailPlace,
    /// Vectors of part i at `parts[i - 1]`.
    parts: Box<[ChunkPart]>,
}

/// The codes of one part of a chunk.
#[derive(Debug, Default)]
struct ChunkPart {
    /// Set by the search that makes the codes; others compare vectors meanwhile.
    is_taken: AtomicBool,
    /// `None` inside: these vectors have no bounds.
    codes: OnceLock<Option<ChunkCodes>>,
}

/// The vectors of one part of a chunk as codes.
#[derive(Debug)]
pub struct ChunkCodes {
    /// The codes.
    pub codes: BoundedCodes,
    /// Signs of the same rows, for searches that may miss a few; `None` where they would say too little.
    pub sieve: Option<Sieve>,
    /// The row of the tail that each is of.
    pub places: Vec<TailPlace>,
}

impl Chunk {
    /// Starts without codes.
    pub(super) fn new(from: TailPlace, to: TailPlace, vectors: usize) -> Self {
        assert!(from < to, "a chunk has rows");
        Chunk { from, to, parts: (0..vectors).map(|_| ChunkPart::default()).collect() }
    }

    /// Gives the chunk that is left when the records below a number are gone: itself, when it has none of them.
    pub(super) fn without(self: &Arc<Self>, base: u32) -> Arc<Chunk> {
        match self.from >= (base, 0) {
            true => self.clone(),
            false => Arc::new(Chunk::new((base, 0), self.to, self.parts.len())),
        }
    }

    /// Gives the codes of a part if they were made and have bounds.
    #[must_use]
    pub fn codes(&self, part: usize) -> Option<&ChunkCodes> {
        self.parts[part - 1].codes.get()?.as_ref()
    }

    /// Makes the codes of a part, unless somebody did or is at it; says whether that took any work.
    pub fn make_codes(&self, tail: &Tail, part: usize, spec: &VectorPart) -> bool {
        let place = &self.parts[part - 1];
        if place.is_taken.load(Ordering::Relaxed) || place.is_taken.swap(true, Ordering::AcqRel) {
            return false;
        }
        let was_empty = place.codes.set(self.encode(tail, part, spec)).is_ok();
        assert!(was_empty, "one search makes the codes of a chunk");
        true
    }

    fn encode(&self, tail: &Tail, part: usize, spec: &VectorPart) -> Option<ChunkCodes> {
        let (mut places, mut vectors) = (Vec::new(), Vec::new());
        for (number, record, rows) in tail.spans(self.from, self.to) {
            for row in rows {
                if let Some(vector) = record.vector(part, row) {
                    places.push((number, row));
                    vectors.push(vector);
                }
            }
        }
        let mut prepared = Prepared::new(spec);
        let mut normalised = Vec::new();
        if spec.normalise_codes {
            vectors.iter().for_each(|vector| normalised.extend_from_slice(prepared.of(vector)));
            vectors = normalised.chunks_exact(spec.bytes_for_codes()).collect();
        }
        let codes = BoundedCodes::new(spec.metric, spec.datatype_of_codes(), spec.dim, &vectors)?;
        places.shrink_to_fit();
        let sieve = if spec.dim < SIEVE_DIMS_MIN { None } else { tail.spaces.sieve(part, spec, &vectors) };
        Some(ChunkCodes { codes, sieve, places })
    }

    /// Gives the bytes of memory that codes take.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let coded = self.parts.iter().filter_map(|part| part.codes.get()?.as_ref());
        coded.map(|coded| coded.memory_bytes() as u64).sum()
    }
}

impl ChunkCodes {
    fn memory_bytes(&self) -> usize {
        let sieve = self.sieve.as_ref().map_or(0, Sieve::memory_bytes);
        self.codes.memory_bytes() + sieve + self.places.capacity() * size_of::<TailPlace>()
    }
}

/// The spaces that signs of the tail's rows are in, by part: the same for as many chunks as it suits.
#[derive(Debug, Default)]
pub(super) struct Spaces(Mutex<BTreeMap<usize, Arc<SieveSpace>>>);

impl Spaces {
    /// Takes the signs of rows in the space of those before, or in their own when they lie elsewhere.
    fn sieve(&self, part: usize, spec: &VectorPart, vectors: &[&[u8]]) -> Option<Sieve> {
        let datatype = spec.datatype_of_codes();
        let shared = self.0.lock().get(&part).cloned();
        if let Some(sieve) = shared.and_then(|space| Sieve::new(&space, datatype, vectors)) {
            return Some(sieve);
        }
        let own = Arc::new(SieveSpace::new(spec.metric, datatype, spec.dim, vectors)?);
        self.0.lock().insert(part, own.clone());
        Sieve::new(&own, datatype, vectors)
    }

    /// Gives the same spaces, for what is left of a tail.
    pub(super) fn same(&self) -> Spaces {
        Spaces(Mutex::new(self.0.lock().clone()))
    }
}

/// Searches of a version after which the rows behind the last full chunk are coded too: whoever writes makes another version before.
const SEARCHES_BEFORE: u32 = 32;

/// Rows that are compared as fast as a query is made ready for their codes.
const FEW_ROWS: usize = 32;
/// Full chunks go into the last one of a version as long as it has no more rows than this: each costs a query some work of its own.
const LAST_ROWS: usize = 1024;

/// The rows of one version that are behind the last full chunk, or behind the last but a few, as one chunk once the version is searched often.
#[derive(Debug, Default)]
pub struct LastChunk {
    searches: AtomicU32,
    chunk: OnceLock<Option<Chunk>>,
}

impl LastChunk {
    /// Gives the chunk that ends where the version does, for one more search of it; `None` as long as there is none.
    pub fn for_search(&self, tail: &Tail, end: TailPlace, vectors: usize) -> Option<&Chunk> {
        if let Some(chunk) = self.chunk.get() {
            return chunk.as_ref();
        }
        if self.searches.fetch_add(1, Ordering::Relaxed) != SEARCHES_BEFORE {
            return None;
        }
        let rows_from = |from| tail.spans(from, end).map(|(_, _, rows)| rows.len()).sum::<usize>();
        let chunks = tail.chunks().take_while(|chunk| chunk.to <= end);
        let behind = chunks.last().map_or((tail.first_number(), 0), |chunk| chunk.to);
        let starts = tail.chunks().map(|chunk| chunk.from).take_while(|from| *from < behind);
        let from = starts.chain([behind]).find(|from| rows_from(*from) <= LAST_ROWS).unwrap_or(behind);
        self.chunk.get_or_init(|| (rows_from(behind) > FEW_ROWS).then(|| Chunk::new(from, end, vectors))).as_ref()
    }

    /// Gives the bytes of memory that codes take.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.chunk.get().and_then(Option::as_ref).map_or(0, Chunk::memory_bytes)
    }
}

/// What the writer counts: the rows behind the last full chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    from: TailPlace,
    rows: usize,
    bytes: usize,
}

impl Open {
    /// Starts a chunk at a place.
    pub(super) fn at(from: TailPlace) -> Self {
        Open { from, rows: 0, bytes: 0 }
    }

    /// Counts a record in; calls `full` with each chunk that it fills.
    pub(super) fn add(&mut self, number: u32, record: &TailRecord, full: &mut dyn FnMut(Chunk)) {
        let rows = record.rows() as usize;
        let bytes_per_row = (record.record.bytes.len() / rows.max(1)).max(1);
        let mut row = 0;
        loop {
            let room = (CHUNK_ROWS - self.rows).min((CHUNK_BYTES - self.bytes).div_ceil(bytes_per_row)).max(1);
            if rows - row < room {
                self.rows += rows - row;
                self.bytes += (rows - row) * bytes_per_row;
                break;
            }
            row += room;
            let to = (number, row as u32);
            full(Chunk::new(self.from, to, record.vectors()));
            *self = Open::at(to);
        }
        assert!(self.rows < CHUNK_ROWS && self.bytes < CHUNK_BYTES, "a full chunk is closed");
    }
}

#[cfg(test)]
mod tests;
