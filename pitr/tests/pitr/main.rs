//! Restores to a time on a simulated machine: which state is meant, what is missing, and what is said then.

#[path = "../backups/machine.rs"]
#[expect(dead_code, reason = "each suite uses a part of the machine")]
mod machine;

mod all;
mod branches;
mod cleaned;
mod holes;
mod source;
mod times;
