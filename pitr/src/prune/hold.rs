//! Who keeps the collector from deleting: readers, and attempts to back up. Pure.

use crate::archive::Key;
use crate::archive::pin::{Holds, LEASE};
use crate::archive::roots::{HeldPin, Holder};

/// Time after which the mark of an attempt that nobody finished is garbage itself, microseconds: a week. What the attempt sent goes a grace later.
pub const ATTEMPT_LEASE: u64 = 7 * LEASE;

/// Says whether a pin has run out, so that it is garbage itself.
pub fn has_run_out(pin: &HeldPin, now: u64) -> bool {
    match &pin.holder {
        Holder::Attempt { complete } => *complete || now > pin.modified.saturating_add(ATTEMPT_LEASE),
        Holder::Reader(Some(file)) => !file.holds_at(now, pin.modified),
        // What cannot be read holds everything for as long as any reader would.
        Holder::Reader(None) => now > pin.modified.saturating_add(ATTEMPT_LEASE),
    }
}

/// Finds the pin that keeps an object, which was put at one time and written down at another, from being deleted.
pub fn holder_of<'a>(pins: &'a [HeldPin], key: &str, modified: u64, planned: u64, now: u64) -> Option<&'a HeldPin> {
    let is_mark = matches!(Key::parse(key), Key::Pin(_) | Key::Reader(_));
    pins.iter().find(|pin| match &pin.holder {
        Holder::Attempt { complete: true } => false,
        // An attempt uses an object again only if a backup named it when the attempt began, and takes any log and manifest that it finds.
        Holder::Attempt { complete: false } => {
            let was_unnamed = modified < pin.modified && planned < pin.modified;
            let is_free = was_unnamed && matches!(Key::parse(key), Key::Object(_));
            !is_mark && !is_free
        }
        Holder::Reader(Some(file)) => !is_mark && file.holds_at(now, pin.modified) && file.holds.contains(&Holds::Everything),
        Holder::Reader(None) => !is_mark && !has_run_out(pin, now),
    })
}

/// Describes pins for people.
pub fn shown(pins: &[HeldPin]) -> Vec<String> {
    let of = |pin: &HeldPin| match &pin.holder {
        Holder::Attempt { complete: true } => None,
        Holder::Attempt { complete: false } => Some(format!("\"{}\": a backup that did not finish, or is being made", pin.key)),
        Holder::Reader(Some(file)) => Some(format!("\"{}\": {}", pin.key, file.holder)),
        Holder::Reader(None) => Some(format!("\"{}\": a pin that does not read", pin.key)),
    };
    pins.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ObjectName;
    use crate::archive::pin::PinFile;

    fn attempt(complete: bool, modified: u64) -> HeldPin {
        HeldPin { key: "pins/a".to_owned(), modified, holder: Holder::Attempt { complete } }
    }

    fn reader(modified: u64, lease: Option<u64>) -> HeldPin {
        let file = PinFile { format: 1, holder: "a restore".to_owned(), started: modified, lease, holds: vec![Holds::Everything] };
        HeldPin { key: "readers/a".to_owned(), modified, holder: Holder::Reader(Some(file)) }
    }

    fn object() -> String {
        Key::Object(ObjectName([1; 16])).to_string()
    }

    fn holds(pin: HeldPin, key: &str, modified: u64, planned: u64, now: u64) -> bool {
        holder_of(&[pin], key, modified, planned, now).is_some()
    }

    #[test]
    fn an_attempt_holds_what_it_may_have_found() {
        let extent = Key::Extent(engine::ids::Timeline([1; 16]), 0).to_string();
        assert!(holds(attempt(false, 100), &object(), 150, 160, 200), "younger than the attempt");
        assert!(holds(attempt(false, 100), &object(), 50, 160, 200), "named by a backup when the attempt began");
        assert!(!holds(attempt(false, 100), &object(), 50, 60, 200), "named by nothing when the attempt began");
        assert!(holds(attempt(false, 100), &extent, 50, 60, 200), "log is taken as it is found");
        assert!(!holds(attempt(true, 100), &extent, 150, 160, 200));
    }

    #[test]
    fn a_reader_holds_everything_until_its_lease_is_over() {
        assert!(holds(reader(100, Some(50)), &object(), 0, 0, 150));
        assert!(!holds(reader(100, Some(50)), &object(), 0, 0, 151));
        assert!(holds(reader(100, None), &object(), 0, 0, u64::MAX));
        assert!(has_run_out(&reader(100, Some(50)), 151) && !has_run_out(&reader(100, None), u64::MAX));
    }

    #[test]
    fn marks_of_attempts_run_out_after_a_week() {
        assert!(!has_run_out(&attempt(false, 5), 5 + ATTEMPT_LEASE) && has_run_out(&attempt(false, 5), 6 + ATTEMPT_LEASE));
        assert!(has_run_out(&attempt(true, 5), 5));
        assert!(!holds(attempt(false, 5), "pins/a", 5, 5, u64::MAX), "a mark does not hold itself");
    }
}
