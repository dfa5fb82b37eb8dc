//! Building: a space and centres from a sample, a list for every row, blocks. And building anew over merged rows, with
//! the centres of before.

use super::effort::{Params, list_count};
use super::encode::{Encoder, close};
use super::kmeans::{self, Centres};
use super::layout::{self, ListsView};
use super::space::{REACH, Space};
use crate::codes::CodesView;
use crate::draw::mix;
use crate::hnsw::{BuildError, Executor, MAX_NODES, Progress};
use crate::metric::Metric;
use crate::one_bit::table::to_code;
use crate::simd::bits::{BLOCK_ROWS, block_len};
use crate::simd::{CodeRows, Kernels};
use std::sync::{Mutex, PoisonError};

/// Rows of the sample for each list.
const SAMPLE_PER_LIST: usize = 64;

/// Deviations that the bytes of a centre reach.
const REACH_DEVIATIONS: f64 = 4.5;

/// Rows that one job assigns or encodes: whole blocks.
const JOB_ROWS: usize = 8 * BLOCK_ROWS;

/// Lists are learnt anew when their number is off what it should be by this factor, or a search would look at so many times the rows
/// that it looked at when all lists were equal.
const DRIFT_MAX: u64 = 3;

/// What lists are built over.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The codes of the rows.
    pub codes: &'a CodesView<'a>,
    /// The number by which answers name each row; ascends with the rows.
    pub key: &'a (dyn Fn(u32) -> u32 + Sync),
    /// All keys are below.
    pub key_bound: u32,
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("rows", &self.codes.count()).field("key_bound", &self.key_bound).finish_non_exhaustive()
    }
}

/// Builds lists over all rows and gives their bytes, which [`super::ListsShape::parse`] reads.
///
/// # Errors
///
/// [`BuildError::Invalid`] for too many rows or lists, [`BuildError::Cancelled`] when `progress` said so.
///
/// # Panics
///
/// When keys do not ascend below their bound.
pub fn build(
    kernels: &Kernels,
    input: Input<'_>,
    params: &Params,
    executor: &dyn Executor,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    let builder = Builder { kernels, input, executor, progress };
    builder.check(params)?;
    let (space, centres) = builder.learn(params)?;
    let lists = builder.assign(&space, &centres)?;
    builder.finish(&space, &centres, params.seed, &lists)
}

/// Builds lists over rows most of which were in `base`: its centres stay, and every row gets a list again. Centres are learnt anew
/// when the number of rows has outgrown them, or too many rows share a list.
///
/// # Errors
///
/// Like [`build`].
///
/// # Panics
///
/// Like [`build`].
pub fn rebuild(
    kernels: &Kernels,
    base: &ListsView<'_>,
    input: Input<'_>,
    params: &Params,
    executor: &dyn Executor,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    let builder = Builder { kernels, input, executor, progress };
    builder.check(params)?;
    let (space, kept) = (base.space(), u64::from(base.list_count()));
    let wanted = u64::from(builder.list_count(params));
    let same_rows = (space.dims, space.dot) == (input.codes.dims(), input.codes.params().metric() == Metric::Dot);
    if !same_rows || base.seed() != params.seed || kept * DRIFT_MAX < wanted || wanted * DRIFT_MAX < kept {
        return build(kernels, input, params, executor, progress);
    }
    let centres = Centres::new(base.centres().to_vec(), space.padded());
    let lists = builder.assign(space, &centres)?;
    if is_crowded(&lists, kept as usize) {
        return build(kernels, input, params, executor, progress);
    }
    builder.finish(space, &centres, params.seed, &lists)
}

/// Whether a row has on average more than [`DRIFT_MAX`] times the company that equal lists would give it.
fn is_crowded(lists: &[u32], count: usize) -> bool {
    let mut sizes = vec![0_u64; count];
    lists.iter().for_each(|list| sizes[*list as usize] += 1);
    let pairs: u64 = sizes.iter().map(|size| size * size).sum();
    let rows = lists.len() as u64;
    u128::from(pairs) * count as u128 > u128::from(rows * DRIFT_MAX) * u128::from(rows)
}

struct Builder<'a> {
    kernels: &'a Kernels,
    input: Input<'a>,
    executor: &'a dyn Executor,
    progress: Progress<'a>,
}

impl Builder<'_> {
    fn rows(&self) -> usize {
        self.input.codes.count()
    }

    fn check(&self, params: &Params) -> Result<(), BuildError> {
        if self.rows() > MAX_NODES || params.lists > layout::LISTS_MAX {
            let what = format!("{} rows in {} lists (at most {MAX_NODES} and {})", self.rows(), params.lists, layout::LISTS_MAX);
            return Err(BuildError::Invalid(what));
        }
        Ok(())
    }

    fn list_count(&self, params: &Params) -> u32 {
        let wanted = if params.lists == 0 { list_count(self.rows()) } else { params.lists };
        wanted.min(self.rows() as u32).max(1)
    }

    /// Tells that `done` of four parts of the work are done, the last of them by so many rows.
    fn tell(&self, done: usize, rows: usize) -> Result<(), BuildError> {
        let all = self.rows();
        if (self.progress)((done * all + rows) / 4, all) { Ok(()) } else { Err(BuildError::Cancelled) }
    }

    /// Chooses the space and the centres.
    fn learn(&self, params: &Params) -> Result<(Space, Centres), BuildError> {
        let mut space = Space::raw(self.input.codes, params.seed);
        let (rows, padded) = (self.rows(), space.padded());
        if rows == 0 {
            return Ok((space, Centres::new(vec![128; padded], padded)));
        }
        let count = self.list_count(params) as usize;
        let wanted = count.saturating_mul(SAMPLE_PER_LIST).min(rows);
        // One row of each of as many equal stretches.
        let sample: Vec<u32> = (0..wanted as u64)
            .map(|stretch| {
                let (start, end) = (stretch * rows as u64 / wanted as u64, (stretch + 1) * rows as u64 / wanted as u64);
                (start + mix(params.seed ^ mix(stretch)) % (end - start)) as u32
            })
            .collect();
        self.scale(&mut space, &sample);
        let codes: Vec<u8> = self.in_chunks(&sample, |chunk| {
            let mut row = vec![0.0; padded];
            let code = |id: &u32| {
                space.place_row(self.input.codes, *id, &mut row);
                row.iter().map(|value| to_code(*value)).collect::<Vec<u8>>()
            };
            chunk.iter().flat_map(code).collect()
        });
        let sample = CodeRows::new(&codes, padded).unwrap_or_else(|| panic!("a sample of {padded} dimensions"));
        let told = |round: usize| self.tell(0, round * rows / 4).is_ok();
        let centres = kmeans::learn(self.kernels, sample, count, params.seed, self.executor, &told)?;
        Ok((space, centres))
    }

    /// Centres the space on the sample and scales it so that its bytes reach the rows.
    fn scale(&self, space: &mut Space, sample: &[u32]) {
        let padded = space.padded();
        // Sums of a job's rows, then over the jobs in their order: the same for any number of threads.
        let sums: Vec<(Vec<f64>, f64)> = self.in_chunks(sample, |chunk| {
            let (mut row, mut sums, mut squares) = (vec![0.0; padded], vec![0.0; padded], 0.0);
            for id in chunk {
                space.place_row(self.input.codes, *id, &mut row);
                sums.iter_mut().zip(&row).for_each(|(sum, value)| *sum += f64::from(*value));
                squares += row.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>();
            }
            vec![(sums, squares)]
        });
        let (mut mean, mut squares) = (vec![0.0; padded], 0.0);
        for (sums, part) in sums {
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum / sample.len() as f64);
            squares += part / sample.len() as f64;
        }
        let around = squares - mean.iter().map(|mean| mean * mean).sum::<f64>();
        let deviation = (around.max(0.0) / padded as f64).sqrt();
        let scale = (deviation * REACH_DEVIATIONS / f64::from(REACH)) as f32;
        // Rows that are all the same have nothing to reach.
        let scale = if scale.is_normal() && (space.unit * scale).is_normal() { scale } else { 1.0 };
        space.unit *= scale;
        space.mean = mean.into_iter().map(|mean| mean as f32 / scale).collect();
    }

    /// The list of each row.
    fn assign(&self, space: &Space, centres: &Centres) -> Result<Vec<u32>, BuildError> {
        let rows: Vec<u32> = (0..self.rows() as u32).collect();
        let mut lists = Vec::with_capacity(rows.len());
        // In stretches, so that it can be watched.
        for stretch in rows.chunks(JOB_ROWS * 64) {
            self.tell(2, lists.len())?;
            lists.extend(self.in_chunks(stretch, |chunk| {
                let (mut row, mut code, mut dots) = (vec![0.0; space.padded()], Vec::new(), Vec::new());
                let list = |id: &u32| {
                    space.place_row(self.input.codes, *id, &mut row);
                    code.clear();
                    code.extend(row.iter().map(|value| to_code(*value)));
                    centres.nearest(self.kernels, &code, &mut dots)
                };
                chunk.iter().map(list).collect()
            }));
        }
        Ok(lists)
    }

    /// Puts rows in the order of lists, encodes them, and lays everything out.
    fn finish(&self, space: &Space, centres: &Centres, seed: u64, lists: &[u32]) -> Result<Vec<u8>, BuildError> {
        let mut ends = vec![0_u32; centres.count()];
        lists.iter().for_each(|list| ends[*list as usize] += 1);
        let mut total = 0;
        ends.iter_mut().for_each(|end| {
            total += *end;
            *end = total;
        });
        let mut order: Vec<u32> = (0..lists.len() as u32).collect();
        order.sort_by_key(|row| lists[*row as usize]);
        let head = layout::head(space, centres, seed, &ends, self.input.key_bound);
        let mut bytes = head;
        bytes.reserve_exact(order.len().div_ceil(BLOCK_ROWS) * block_len(space.padded()));
        let mut done = 0;
        for stretch in order.chunks(JOB_ROWS * 64) {
            self.tell(3, done)?;
            done += stretch.len();
            bytes.extend(self.in_chunks(stretch, |chunk| self.encode(space, centres, lists, chunk)));
        }
        self.tell(4, 0)?;
        Ok(bytes)
    }

    fn encode(&self, space: &Space, centres: &Centres, lists: &[u32], rows: &[u32]) -> Vec<u8> {
        let size = block_len(space.padded());
        let mut blocks = vec![0; rows.len().div_ceil(BLOCK_ROWS) * size];
        let mut encoder = Encoder::new(space, centres);
        let mut values = vec![0.0; space.padded()];
        for (block, rows) in blocks.chunks_exact_mut(size).zip(rows.chunks(BLOCK_ROWS)) {
            for (lane, row) in rows.iter().enumerate() {
                space.place_row(self.input.codes, *row, &mut values);
                let key = (self.input.key)(*row);
                assert!(key < self.input.key_bound, "key {key} of row {row} is not below {}", self.input.key_bound);
                encoder.put(lists[*row as usize], &mut values, key, lane, block);
            }
            close(block, space.padded(), rows.len());
        }
        blocks
    }

    /// Calls `work` for chunks of rows, on the threads of the executor; what it gives comes back in their order.
    fn in_chunks<O: Send>(&self, rows: &[u32], work: impl Fn(&[u32]) -> Vec<O> + Sync) -> Vec<O> {
        let chunks: Vec<&[u32]> = rows.chunks(JOB_ROWS).collect();
        in_parallel(self.executor, &chunks, |chunk| work(chunk))
    }
}

/// Calls `work` for each item, on the threads of the executor; what it gives comes back in the order of the items.
pub(super) fn in_parallel<I: Sync, O: Send>(executor: &dyn Executor, items: &[I], work: impl Fn(&I) -> Vec<O> + Sync) -> Vec<O> {
    let slots: Vec<Mutex<Option<Vec<O>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    executor.run(items.len(), &|job| {
        let out = work(&items[job]);
        let before = slots[job].lock().unwrap_or_else(PoisonError::into_inner).replace(out);
        assert!(before.is_none(), "the executor ran job {job} twice");
    });
    let take = |slot: Mutex<Option<Vec<O>>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().flat_map(|slot| take(slot).unwrap_or_else(|| panic!("the executor left a job out"))).collect()
}
