//! Encrypted archives: backups and restores through them, keys, damage, and the check that needs no key.

#[path = "../backups/machine.rs"]
#[expect(dead_code, reason = "the suite of backups uses all of it, this one a part")]
mod machine;

mod keys;
mod place;
mod round_trip;
