//! Points: written, read, searched.

mod batch;
mod body;
mod chosen;
mod facets;
mod groups;
mod numbers;
mod payloads;
mod query;
mod read;
mod sample;
mod shown;
mod target;
mod vectors;
mod write;

pub(super) use batch::batch;
pub(super) use facets::facet;
pub(super) use groups::query_groups;
pub(super) use payloads::{clear_payload, delete_payload, overwrite_payload, set_payload};
pub(super) use query::{query, query_batch};
pub(super) use read::{count, get, retrieve, scroll};
pub(super) use vectors::{delete_vectors, update_vectors};
pub(super) use write::{delete, upsert};
