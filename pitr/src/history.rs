//! What an archive knows of names, lives and histories: who held a name when, and which stretches of which timelines are its log.

pub mod catalog;
pub mod lives;
pub mod map;
pub mod resolve;
pub mod tenure;
pub mod walk;

pub use lives::Lives;
pub use map::{History, TimelineMap};
pub use resolve::{Resolved, Wanted};
pub use tenure::Tenure;
