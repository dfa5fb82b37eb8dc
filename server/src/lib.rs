//! The database over HTTP: a Qdrant-compatible REST API, and the background work of a database that stays open.
//!
//! [`Host`] holds the database; `api` turns requests into calls of it and answers into JSON. Sockets, TLS and threads of connections
//! are behind `platform::http`.

mod api;
mod host;
mod location;
pub mod logs;
mod metrics;

pub use api::commands;
pub use api::{Api, ApiOptions, CollectionKey, Keys};
pub use host::jobs;
pub use host::schedules;
pub use host::{Goals, Host, HostOptions, Opening, SearchOp, Searches, Served, Sources, Stores, WhenBroken, read_goals};
