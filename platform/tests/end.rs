//! A process that ends itself; in a test of its own, since the end is known to the whole process.

use std::time::Duration;

use platform::process::{catch_interrupts, end, interrupted, wait_for_termination};

#[test]
fn who_waits_for_the_end_is_woken_when_the_process_decides_on_it_itself() {
    catch_interrupts().unwrap();
    let waiting = std::thread::spawn(|| wait_for_termination(None).unwrap());
    assert!(!wait_for_termination(Some(Duration::from_millis(5))).unwrap());
    end();
    assert!(waiting.join().unwrap());
    assert!(interrupted());
}
