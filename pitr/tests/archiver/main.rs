//! Continuous archiving on a simulated machine: what is sent, what a crash or a dead link leaves, and who is turned away.

#[path = "../backups/machine.rs"]
#[expect(dead_code, reason = "each suite uses a part of the machine")]
mod machine;
mod passes;
mod writers;
