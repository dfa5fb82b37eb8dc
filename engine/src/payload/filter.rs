//! Filters in Qdrant's grammar: what they say, and which points they hold for.
//!
//! `matches` is the definition: whatever an index answers must agree with it.

mod estimate;
mod evaluate;
mod parse;
mod plan;
mod slice;

use std::collections::BTreeSet;

pub use estimate::Bounds;
pub use evaluate::HasVector;
pub use plan::{Candidates, Lookup, RowsOf, WithVector, plan};
pub use slice::Slice;

use super::geo::GeoArea;
use super::number::Number;
use super::path::FieldPath;
use super::text::Wanted;
use crate::{PointId, Result};

/// The longest filter in bytes.
pub const FILTER_BYTES_MAX: usize = 1 << 20;
/// How deep filters may lie in one another; the outermost is the first.
pub const FILTER_DEPTH_MAX: usize = 16;
/// The most conditions of a filter, those of inner filters counted.
pub const FILTER_CONDITIONS_MAX: usize = 1024;
/// The most entries of one `any`, `except` or `has_id` list, and the most points of one polygon.
pub const FILTER_LIST_MAX: usize = 65_536;

/// Conditions on a point's id, payload and vectors. The empty filter holds for every point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// All of these hold.
    pub must: Vec<Condition>,
    /// At least one of these holds, if there are any.
    pub should: Vec<Condition>,
    /// None of these holds.
    pub must_not: Vec<Condition>,
    /// A given number of these hold.
    pub min_should: Option<MinShould>,
}

/// At least `min_count` of `conditions` hold.
#[derive(Debug, Clone, PartialEq)]
pub struct MinShould {
    /// The conditions that are counted.
    pub conditions: Vec<Condition>,
    /// How many must hold; 0 asks for nothing.
    pub min_count: usize,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A test of the values at a path.
    Field {
        /// Where the values lie.
        path: FieldPath,
        /// What they must be.
        test: Test,
    },
    /// The point's id is one of these, which are sorted.
    HasId(Vec<PointId>),
    /// The point has a vector of this name.
    HasVector(String),
    /// The point's id is in a slice of all ids.
    Slice(Slice),
    /// A filter holds for an object in an array, by itself: no other element helps. Ids and vectors are the point's, so that there no
    /// condition on them holds.
    Nested {
        /// Where the array lies.
        path: FieldPath,
        /// What holds for one of its objects.
        filter: Box<Filter>,
    },
    /// An inner filter.
    Filter(Box<Filter>),
}

/// A test of the values at a path. Of an array, the elements are tested, and one that passes is enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A value is this one.
    Match(Scalar),
    /// A value is in the list.
    Any(Scalars),
    /// A value is not in the list; null passes never, a value of another type always.
    Except(Scalars),
    /// A string holds words.
    Text(Wanted),
    /// A string begins with this one, byte by byte.
    Prefix(String),
    /// A string has this one somewhere, byte by byte.
    Substring(String),
    /// A number lies within bounds.
    Range(Range),
    /// A string is a moment within bounds, which are microseconds UTC; see [`crate::payload::datetime`].
    Moments(Range),
    /// An object is a place within an area.
    Geo(GeoArea),
    /// The number of elements of an array lies within bounds. Null and what is not there have none, any other value is one.
    ValuesCount(Range),
    /// There is no value, or every value is null or an empty array.
    IsEmpty,
    /// A value is null, or an array that holds null.
    IsNull,
}

/// A value that can be matched.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A string, compared byte by byte.
    Keyword(String),
    /// An integer; a payload's `5.0` is none.
    Integer(i128),
    /// A truth value.
    Bool(bool),
}

/// A list of values that can be matched, sorted, without repetition.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalars {
    /// Strings; the empty list is one of these.
    Keywords(Vec<String>),
    /// Integers.
    Integers(Vec<i128>),
}

/// Bounds of a number; one that is absent does not bind. Compared exactly, never rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Range {
    /// Greater than.
    pub gt: Option<Number>,
    /// Greater than or equal to.
    pub gte: Option<Number>,
    /// Less than.
    pub lt: Option<Number>,
    /// Less than or equal to.
    pub lte: Option<Number>,
}

impl Filter {
    /// Reads a filter from its JSON text.
    ///
    /// # Errors
    /// `InvalidInput` that names the place and what is known there, when the text is no filter or exceeds a limit.
    pub fn parse(text: &str) -> Result<Filter> {
        parse::parse(text)
    }

    /// Gives the paths that the filter tests, each once, in order.
    #[must_use]
    pub fn fields(&self) -> Vec<&FieldPath> {
        let mut found = BTreeSet::new();
        self.collect_fields(&mut found);
        found.into_iter().collect()
    }

    fn collect_fields<'a>(&'a self, found: &mut BTreeSet<&'a FieldPath>) {
        for condition in self.conditions() {
            match condition {
                Condition::Field { path, .. } => _ = found.insert(path),
                Condition::Filter(inner) => inner.collect_fields(found),
                // No index is asked about what lies within an element.
                Condition::HasId(_) | Condition::HasVector(_) | Condition::Slice(_) | Condition::Nested { .. } => {}
            }
        }
    }

    /// Says whether the answer depends on which vectors a point has, which may change while its payload stays.
    #[must_use]
    pub fn asks_for_vectors(&self) -> bool {
        self.conditions().any(|condition| match condition {
            Condition::HasVector(_) => true,
            Condition::Filter(inner) => inner.asks_for_vectors(),
            Condition::Field { .. } | Condition::HasId(_) | Condition::Slice(_) | Condition::Nested { .. } => false,
        })
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let counted = self.min_should.iter().flat_map(|min_should| &min_should.conditions);
        self.must.iter().chain(&self.should).chain(&self.must_not).chain(counted)
    }
}
