//! Lazy restores, branches and reads of the past on a simulated machine: what they answer, what they hold, and what they leave.

#[path = "../backups/machine.rs"]
#[expect(dead_code, reason = "each suite uses a part of the machine")]
mod machine;
#[path = "../pitr/source.rs"]
#[expect(dead_code, reason = "each suite uses a part of the source")]
mod source;

mod branches;
mod place;
mod ranges;
mod restores;
