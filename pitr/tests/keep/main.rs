//! What keeps an archive small and whole: retention, collection of garbage, verification, scrubbing, and the log of what happened.

mod log;
#[path = "../backups/machine.rs"]
#[expect(dead_code, reason = "each suite uses a part of the machine")]
mod machine;
mod prune;
mod prune_crashes;
mod scrub;
mod site;
mod verify;
