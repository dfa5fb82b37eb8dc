//! Room for scheduled work: what is due at the same moment is done a few at a time, and one drill at a time, as a data directory has it.

use parking_lot::{Condvar, Mutex};

/// Runs that are worked on at once.
pub(super) const WORKERS_MAX: usize = 4;

/// Counts who works.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    busy: Mutex<Busy>,
    /// Somebody is done, or nothing begins any more.
    frees: Condvar,
}

#[derive(Debug, Default)]
struct Busy {
    all: usize,
    drills: usize,
    is_closed: bool,
}

/// Room that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    rooms: &'a Rooms,
    is_drill: bool,
}

impl Rooms {
    /// Waits for room; `None` once nothing begins any more.
    pub fn take(&self, is_drill: bool) -> Option<Room<'_>> {
        let mut busy = self.busy.lock();
        while !busy.is_closed && (busy.all == WORKERS_MAX || is_drill && busy.drills > 0) {
            self.frees.wait(&mut busy);
        }
        if busy.is_closed {
            return None;
        }
        busy.all += 1;
        busy.drills += usize::from(is_drill);
        assert!(busy.all <= WORKERS_MAX && busy.drills <= 1, "no more work than there is room for");
        Some(Room { rooms: self, is_drill })
    }

    /// Sends everybody away who waits, and who comes later.
    pub fn close(&self) {
        self.busy.lock().is_closed = true;
        self.frees.notify_all();
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut busy = self.rooms.busy.lock();
        busy.all -= 1;
        busy.drills -= usize::from(self.is_drill);
        drop(busy);
        self.rooms.frees.notify_all();
    }
}
