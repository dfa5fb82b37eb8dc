//! What a collection answers: queries drawn from its own points, asked through its index and exactly, and a digest of its content. A backup
//! carries a few of them, so that a drill can tell whether what comes back answers as what was saved.

mod ask;
mod digest;
mod draw;
mod record;

pub use ask::{Asked, Effort, TOP, ask, recall};
pub use digest::{Content, content_of, digest_of};
pub use draw::draw;
pub use record::{RecordedAnswers, RecordedProbe, record};
