//! What the server tells whoever watches it: `GET /metrics` for Prometheus, `GET /telemetry` for people.
//!
//! Requests, searches, syncs and builds are counted where they happen, over atomics. The rest is looked at when somebody asks: what is in
//! memory in the request, what lies on disks and in archives in the background (`figures`).

mod collect;
mod families;
mod figures;
mod page;
mod requests;
mod telemetry;

pub(crate) use collect::page;
pub(crate) use figures::Figures;
pub(crate) use requests::Requests;
pub(crate) use telemetry::telemetry;

/// The content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
