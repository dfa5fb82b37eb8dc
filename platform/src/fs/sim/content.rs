//! One file's bytes: those in the cache, those on the device, and what a power cut makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::random::Stream;

/// The bytes that a device writes in one piece.
pub const SECTOR: usize = 512;

/// What a power cut leaves of the unsynced sectors of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survival {
    Nothing,
    Random,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    /// What a running process reads. Shared with mappings, copied when written to under one.
    volatile: Arc<Vec<u8>>,
    durable: Vec<u8>,
    /// Unsynced sectors, each perhaps with an earlier unsynced version that the system may have
    /// written back before the newest one was made.
    dirty: BTreeMap<usize, Option<Vec<u8>>>,
    /// The lengths that the file has had since its last sync, the present one last.
    lengths: Vec<usize>,
    pub(super) modified_micros: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.volatile.len() as u64
    }

    pub(super) fn volatile(&self) -> &Arc<Vec<u8>> {
        &self.volatile
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8], stream: &mut Stream) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if end > self.volatile.len() {
            self.extend(end);
        }
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let again = self.dirty.contains_key(&sector) && stream.chance(1, 4);
            let earlier = again.then(|| self.sector(sector).to_vec());
            let known = self.dirty.entry(sector).or_default();
            if earlier.is_some() {
                *known = earlier;
            }
        }
        Arc::make_mut(&mut self.volatile)[offset..end].copy_from_slice(bytes);
        self.assert_whole();
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let len = usize::try_from(len).expect("a simulated file fits into memory");
        if len > self.volatile.len() {
            self.extend(len);
        } else if len < self.volatile.len() {
            Arc::make_mut(&mut self.volatile).truncate(len);
            self.lengths.push(len);
            self.dirty.retain(|sector, _| sector * SECTOR < len);
        }
        self.assert_whole();
    }

    fn extend(&mut self, len: usize) {
        let before = self.volatile.len();
        // Where the device still holds bytes of before a cut, the new zeros are news to it.
        let stale = before..len.min(self.durable.len());
        if !stale.is_empty() {
            for sector in stale.start / SECTOR..stale.end.div_ceil(SECTOR) {
                self.dirty.entry(sector).or_default();
            }
        }
        Arc::make_mut(&mut self.volatile).resize(len, 0);
        self.lengths.push(len);
    }

    fn sector(&self, sector: usize) -> &[u8] {
        let start = (sector * SECTOR).min(self.volatile.len());
        &self.volatile[start..(start + SECTOR).min(self.volatile.len())]
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) {
        self.sync_length();
        for sector in std::mem::take(&mut self.dirty).into_keys() {
            let start = sector * SECTOR;
            let bytes = self.sector(sector).to_vec();
            put(&mut self.durable, start, &bytes);
        }
        self.assert_whole();
    }

    /// Forgets that anything is unsynced, as the system does when the device refuses a write. The
    /// length is metadata: it may get through, or wait for the next sync.
    pub(super) fn sync_failed(&mut self, stream: &mut Stream) {
        self.dirty.clear();
        if stream.chance(1, 2) {
            self.sync_length();
        }
    }

    fn sync_length(&mut self) {
        if !self.lengths.is_empty() {
            self.durable.resize(self.volatile.len(), 0);
            self.lengths.clear();
        }
    }

    /// Makes of the file what a power cut leaves of it.
    pub(super) fn crash(&mut self, survival: Survival, stream: &mut Stream) {
        if survival == Survival::Random {
            self.write_back_some(stream);
        }
        self.volatile = Arc::new(self.durable.clone());
        self.dirty.clear();
        self.lengths.clear();
    }

    fn write_back_some(&mut self, stream: &mut Stream) {
        if !self.lengths.is_empty() {
            let choice = stream.below(self.lengths.len() as u64 + 1) as usize;
            if let Some(len) = self.lengths.get(choice) {
                self.durable.resize(*len, 0);
            }
        }
        if self.dirty.is_empty() {
            return;
        }
        // Some cuts keep nearly all, some nearly nothing: a fair coin for each sector of a long
        // tail would never show either.
        let kept_of_eight = stream.below(9);
        for (sector, earlier) in std::mem::take(&mut self.dirty) {
            if !stream.chance(kept_of_eight, 8) {
                continue;
            }
            let bytes = match earlier {
                Some(earlier) if stream.chance(1, 3) => earlier,
                _ => self.sector(sector).to_vec(),
            };
            put(&mut self.durable, sector * SECTOR, &bytes);
        }
    }

    /// Flips a bit in the cache and on the device; false if neither has the byte.
    pub(super) fn flip_bit(&mut self, offset: u64, bit: u8) -> bool {
        let Ok(offset) = usize::try_from(offset) else { return false };
        let volatile = Arc::make_mut(&mut self.volatile);
        let mut flipped = false;
        for bytes in [volatile, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1 << bit;
                flipped = true;
            }
        }
        flipped
    }

    fn assert_whole(&self) {
        debug_assert!(self.lengths.last().is_none_or(|len| *len == self.volatile.len()), "the present length is the last one noted");
        debug_assert!(
            self.dirty.last_key_value().is_none_or(|(at, _)| at * SECTOR < self.volatile.len()),
            "no sector behind the end is dirty"
        );
    }
}

/// Copies `bytes` to `start`, as far as `target` reaches.
fn put(target: &mut [u8], start: usize, bytes: &[u8]) {
    let Some(room) = target.get_mut(start..) else { return };
    let count = room.len().min(bytes.len());
    room[..count].copy_from_slice(&bytes[..count]);
}
