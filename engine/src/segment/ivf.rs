//! The lists object of one vector part: inverted lists of 1-bit codes, which answer without codes and graph in memory.

use std::sync::OnceLock;

use bytes::Bytes;
use index::Kernels;
use index::ivf::{self, BuildError, Executor, Input, ListsShape, ListsView, Params, Progress};

use super::Segment;
use super::build::finished;
use super::meta::ObjectMeta;
use super::tuning::{StoredTuning, Tuning};
use super::vectors::layout_error;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::SegmentId;
use crate::object_file::{ObjectBuilder, ObjectFile, Role};

/// The section that `index` lays out.
pub const TAG_LISTS: u32 = 1;

/// Lays out a lists object.
#[must_use]
pub fn encode(id: SegmentId, part: u32, lists: &[u8]) -> Vec<u8> {
    ObjectBuilder::new(Role::Ivf, id).section(TAG_LISTS, part, lists).finish()
}

/// A lists object; its section is read at first use.
#[derive(Debug)]
pub struct Lists {
    object: ObjectFile,
    part: u32,
    /// The bytes of the lists and what was read from their head, once they were checked.
    layout: OnceLock<(Bytes, ListsShape)>,
    tuning: StoredTuning,
}

impl Lists {
    /// Opens the object of one vector part.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged or another object, `NewerFormat` when a later version wrote it.
    pub fn open(bytes: Bytes, id: SegmentId, part: u32) -> Result<Self> {
        Ok(Lists { object: ObjectFile::open(bytes, Role::Ivf, id)?, part, layout: OnceLock::new(), tuning: StoredTuning::default() })
    }

    /// Gives the lists, whose keys are the rows of a segment; the first call checks the bytes.
    ///
    /// # Errors
    /// `Corrupt` when they are damaged or of other rows than those of `segment` that have the vector, `NewerFormat` when a later version
    /// wrote them.
    pub fn view(&self, segment: &Segment) -> Result<ListsView<'_>> {
        let (bytes, shape) = match self.layout.get() {
            Some(layout) => layout,
            None => {
                let bytes = self.object.required(TAG_LISTS, self.part)?;
                let shape = ListsShape::parse(&bytes, segment.row_index().present(self.part) as usize)
                    .map_err(|error| layout_error("lists", &error).with_object(self.object.id().to_string()))?;
                if shape.view(&bytes).key_bound() != segment.rows() {
                    return Err(Error::corrupt("the lists are of another segment")
                        .with_object(self.object.id().to_string())
                        .with_expected(format!("{} rows", segment.rows()), shape.view(&bytes).key_bound()));
                }
                self.layout.get_or_init(|| (bytes, shape))
            }
        };
        Ok(shape.view(bytes))
    }

    /// Gives what was measured when the lists were built.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged.
    pub fn tuning(&self) -> Result<Option<&Tuning>> {
        self.tuning.get(&self.object, self.part)
    }

    /// Gives the container, for reading everything in it.
    #[must_use]
    pub fn object(&self) -> &ObjectFile {
        &self.object
    }

    /// Gives the number of stored bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.object.bytes_of(TAG_LISTS)
    }
}

/// How lists are built: the same parameters (with their seed) give the same bytes on any machine and any number of threads.
#[derive(Clone, Copy)]
pub struct ListsBuild<'a> {
    /// Number of lists, and seed.
    pub params: &'a Params,
    /// The kernels to compare codes with.
    pub kernels: &'a Kernels,
    /// Runs the jobs.
    pub executor: &'a dyn Executor,
    /// Told how far the build is; `false` stops it.
    pub progress: Progress<'a>,
}

impl std::fmt::Debug for ListsBuild<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListsBuild").field("params", self.params).field("kernels", self.kernels).finish_non_exhaustive()
    }
}

/// Builds the lists object of a vector part over the segment's codes. With `base`, a segment whose rows went into this one, its centres are
/// taken over where they still fit.
///
/// # Errors
/// `Interrupted` when `progress` said stop, `InvalidInput` when the parameters are out of range, `Corrupt` when codes or the lists of
/// `base` are damaged, `NotFound` when no row has the vector or `base` has no lists.
pub fn build_lists(
    segment: &Segment,
    base: Option<&Segment>,
    part: u32,
    id: SegmentId,
    build: ListsBuild<'_>,
) -> Result<(ObjectMeta, Vec<u8>)> {
    let missing = |what: &str, of: &Segment| Error::not_found(format!("segment {} has no {what} of part {part}", of.meta().id));
    let nodes = segment.codes(part).ok_or_else(|| missing("codes", segment))?.nodes()?;
    let codes = nodes.view()?;
    let input = Input { codes: &codes, key: &|node| nodes.row(node), key_bound: segment.rows() };
    let ListsBuild { params, kernels, executor, progress } = build;
    let lists = match base {
        Some(base) => {
            let old = base.lists(part).ok_or_else(|| missing("lists", base))?.view(base)?;
            ivf::rebuild(kernels, &old, input, params, executor, progress)
        }
        None => ivf::build(kernels, input, params, executor, progress),
    };
    let lists = lists.map_err(|error| match error {
        BuildError::Cancelled => Error::new(ErrorKind::Interrupted, "building the lists was stopped"),
        BuildError::Invalid(_) => Error::invalid(error.to_string()),
    })?;
    finished(Role::Ivf, part, id, encode(id, part, &lists))
}

/// Says what is wrong with the lists of a part, if anything: damaged lists, or rows that are not those with the vector.
///
/// # Errors
/// Those of [`Lists::view`].
pub(super) fn offence(segment: &Segment, part: u32, lists: &Lists) -> Result<Option<String>> {
    let view = lists.view(segment)?;
    lists.tuning()?;
    if let Some(offence) = ivf::check(&view).first_offence {
        return Ok(Some(format!("the lists of part {part} are damaged: {offence}")));
    }
    // Each row is listed once, and there are as many as have the vector: a row without it would take the place of one with it.
    let absent = view.keys().find(|&row| !segment.has_part(part, row));
    Ok(absent.map(|row| format!("the lists of part {part} name row {row}, which does not have it")))
}

#[cfg(test)]
mod tests;
