//! Payloads: the JSON that a point carries, filters over it, and indexes of single fields of it.
//!
//! A payload is stored as minified text and read where it lies. [`Filter::matches`] defines what a filter means; a [`FieldIndex`]
//! only spares reading payloads, and says of each row it cannot describe that the filter may hold. Nothing here touches a file.

pub mod datetime;
pub mod edit;
pub mod field_index;
pub mod filter;
pub mod geo;
pub mod json;
pub mod number;
pub mod path;
#[cfg(test)]
mod properties;
pub mod text;
pub mod value;

pub use edit::merge;
pub use field_index::{FieldIndex, FieldIndexBuilder, FieldType};
pub use filter::{Bounds, Candidates, Condition, Filter, Lookup, plan};
pub use json::{Limits, PAYLOAD_BYTES_MAX, minify_checked};
pub use number::Number;
pub use path::FieldPath;
