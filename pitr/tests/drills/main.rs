//! Drills on a simulated machine: what they prove, what they must not miss, and that nothing of them stays but the report.

#[path = "../backups/machine.rs"]
#[expect(dead_code, reason = "each suite uses a part of the machine")]
mod machine;
#[path = "../pitr/source.rs"]
#[expect(dead_code, reason = "each suite uses a part of the source")]
mod source;

mod archives;
mod backups;
mod place;
