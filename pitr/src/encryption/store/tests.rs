//! The encrypting store: what every store must do, ranges, damage, cuts, swaps, and what it costs below.

use std::path::Path;

use engine::codec::checksum::seal;
use platform::KnownBad;
use platform::fs::SimDisk;
use platform::object_store::conformance::conformance;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::object_store::sim::SimStore;
use platform::random::{SeededRandom, Stream};

use super::*;
use crate::archive::ArchiveId;
use crate::encryption::format::{FRAME_LEN, stored_len};
use crate::encryption::keys::DATA_KEY_LEN;

const FRAME: u64 = FRAME_LEN;

struct Fixture {
    disk: SimDisk,
    inner: Arc<FaultyStore>,
    store: EncryptedStore,
}

/// A store over a simulated disk, over a layer that counts calls; it was unlocked with an archive's description that is not there.
fn fixture(seed: u64) -> Fixture {
    let disk = SimDisk::new(seed);
    let below = SimStore::open(disk.file_system(), Path::new("/s"), KnownBad::default()).unwrap();
    let inner = Arc::new(FaultyStore::new(Arc::new(below), seed, Rates::default()));
    let store = unlocked(inner.clone(), seed);
    Fixture { disk, inner, store }
}

fn unlocked(inner: Arc<dyn ObjectStore>, seed: u64) -> EncryptedStore {
    let key = DataKey::of([1; 16], [2; DATA_KEY_LEN]);
    let archive = LockedArchive { archive: ArchiveId([3; 16]), key_id: key.id() };
    EncryptedStore::new(inner, key, archive, Arc::new(SeededRandom::new(seed)))
}

fn plain(len: u64, seed: u64) -> Bytes {
    let mut bytes = vec![0; len as usize];
    Stream::new(seed).fill(&mut bytes);
    bytes.into()
}

#[test]
fn it_is_a_store_like_any_other() {
    conformance(&fixture(1).store);
}

#[test]
fn stored_bytes_hold_nothing_of_what_was_put() {
    let Fixture { inner, store, .. } = fixture(2);
    let secret = Bytes::from_static(b"something that nobody may read, twice: something that nobody may read");
    store.put_if_absent("a", vec![secret.clone()]).unwrap();
    store.put_unique("b", vec![secret.clone()]).unwrap();
    assert_eq!(store.get("b").unwrap(), secret);
    let (a, b) = (inner.get("a").unwrap(), inner.get("b").unwrap());
    for stored in [&a, &b] {
        assert_eq!(stored.len() as u64, stored_len(secret.len() as u64));
        assert!(!stored.windows(8).any(|part| secret.windows(8).any(|secret| secret == part)));
    }
    assert!(a[64..].chunks(16).zip(b[64..].chunks(16)).all(|(a, b)| a != b), "equal contents are stored unequal");
    assert!(!format!("{store:?}").contains("2, 2, 2"), "the key is not shown");
}

#[test]
fn ranges_are_those_of_the_content_at_every_edge() {
    let Fixture { inner, store, .. } = fixture(3);
    let mut stream = Stream::new(3);
    for len in [1, 100, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME - 1, 3 * FRAME, 3 * FRAME + 1, 4 * FRAME + 777] {
        let (key, content) = (format!("o/{len}"), plain(len, len));
        store.put_if_absent(&key, vec![content.clone()]).unwrap();
        assert_eq!(store.head(&key).unwrap(), Some(len));
        let near = |edge: u64| (edge.saturating_sub(1)..=edge + 1).filter(|at| *at <= len);
        let edges: Vec<u64> = (0..=len / FRAME + 1).flat_map(|frame| near(frame * FRAME)).chain(near(len)).collect();
        let drawn = (0..8).map(|_| stream.below(len + 1));
        let points: Vec<u64> = edges.iter().copied().chain(drawn).collect();
        for &from in &points {
            for to in [from, len, points[stream.below(points.len() as u64) as usize], from + 1] {
                if from <= to && to <= len {
                    let got = store.get_range(&key, from..to).unwrap();
                    assert!(got == content.slice(from as usize..to as usize), "seed 3: {len} bytes, {from}..{to}");
                }
            }
        }
        assert!(store.get_range(&key, 0..len + 1).is_err());
        assert_eq!(store.list("o/").unwrap().iter().find(|meta| meta.key == key).map(|meta| meta.size), Some(len));
        assert_eq!(inner.head(&key).unwrap(), Some(stored_len(len)));
    }
}

#[test]
fn a_range_reads_its_frames_and_the_header_once() {
    let Fixture { inner, store, .. } = fixture(4);
    store.put_if_absent("a", vec![plain(10 * FRAME, 1)]).unwrap();
    let before = inner.calls();
    for at in 0..20 {
        store.get_range("a", at * 1_000..at * 1_000 + 10).unwrap();
    }
    assert_eq!(inner.calls() - before, 21);
}

/// Reads an object in every way that the layers above do.
fn read_errors(store: &EncryptedStore, key: &str, len: u64) -> Vec<StoreError> {
    let piecewise = || {
        let mut at = 0;
        while at < len {
            let to = len.min(at + FRAME);
            store.get_range(key, at..to)?;
            at = to;
        }
        Ok::<_, StoreError>(())
    };
    [store.get(key).map(drop), store.get_range(key, 0..len).map(drop), piecewise()].into_iter().filter_map(Result::err).collect()
}

#[test]
fn every_flipped_bit_is_corrupt_however_the_object_is_read() {
    let Fixture { disk, inner, store } = fixture(5);
    store.put_if_absent("small", vec![plain(50, 1)]).unwrap();
    const LARGE: u64 = 2 * FRAME + 9;
    store.put_if_absent("large", vec![plain(LARGE, 2)]).unwrap();
    let mut stream = Stream::new(5);
    let every = (0..stored_len(50) * 8).map(|bit| ("small", 50, bit));
    let large = stored_len(LARGE);
    let ends = (0..64 * 8).chain((large - 60) * 8..large * 8).step_by(13);
    let drawn = ends.chain((0..60).map(|_| stream.below(large * 8))).collect::<Vec<_>>();
    for (key, len, bit) in every.chain(drawn.into_iter().map(|bit| ("large", LARGE, bit))) {
        let path = format!("/s/{key}");
        disk.flip_bit(&path, bit / 8, (bit % 8) as u8);
        let errors = read_errors(&unlocked(inner.clone(), 0), key, len);
        assert_eq!(errors.len(), 3, "{key} bit {bit}: {errors:?}");
        for error in errors {
            assert_eq!((error.kind, error.key.as_str()), (StoreErrorKind::Corrupt, key), "bit {bit}: {error}");
        }
        disk.flip_bit(&path, bit / 8, (bit % 8) as u8);
    }
    assert!(read_errors(&store, "large", LARGE).is_empty());
}

#[test]
fn every_cut_is_shown_as_a_smaller_object_and_is_no_content() {
    let Fixture { disk, inner, store } = fixture(6);
    let lengths = [("a", 50), ("b", FRAME), ("c", 2 * FRAME + 5)];
    for (key, len) in lengths {
        store.put_if_absent(key, vec![plain(len, len)]).unwrap();
        let mut stream = Stream::new(6);
        let whole = stored_len(len);
        let drawn = (0..40).map(|_| stream.below(whole));
        let mut cuts: Vec<u64> = (0..whole.min(200)).chain(whole - 150.min(whole)..whole).chain(drawn).collect();
        cuts.sort_unstable();
        for cut in cuts.into_iter().rev() {
            disk.truncate(format!("/s/{key}"), cut);
            let fresh = unlocked(inner.clone(), 0);
            let shown = fresh.head(key).unwrap().unwrap();
            assert!(shown < len, "{key} cut to {cut} shows {shown}");
            for error in [fresh.get(key), fresh.get_range(key, 0..len), store.get_range(key, 0..len)].map(|got| got.map(drop).unwrap_err())
            {
                assert_eq!(error.kind, StoreErrorKind::NotFound, "{key} cut to {cut}: {error}");
                assert!(error.message.contains("cut off"), "{error}");
            }
        }
    }
}

#[test]
fn an_object_that_grew_shows_another_size_and_is_corrupt() {
    let Fixture { inner, store, .. } = fixture(12);
    for (len, more) in [(50, 5), (FRAME - 1, 2), (FRAME, 1), (FRAME, 20)] {
        let key = format!("o/{len}-{more}");
        store.put_if_absent(&key, vec![plain(len, len)]).unwrap();
        let grown = [&inner.get(&key).unwrap()[..], &vec![0; more]].concat();
        inner.delete(&key).unwrap();
        inner.put_if_absent(&key, vec![grown.into()]).unwrap();
        let shown = store.head(&key).unwrap().unwrap();
        assert_ne!(shown, len);
        assert_eq!(store.get(&key).unwrap_err().kind, StoreErrorKind::Corrupt);
        let error = store.get_range(&key, 0..shown.max(len + 1)).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn objects_that_were_swapped_renamed_or_not_encrypted_are_refused() {
    let Fixture { inner, store, .. } = fixture(7);
    store.put_if_absent("a", vec![plain(100, 1)]).unwrap();
    store.put_if_absent("b", vec![plain(100, 2)]).unwrap();
    let (a, b) = (inner.get("a").unwrap(), inner.get("b").unwrap());
    inner.delete("a").unwrap();
    inner.delete("b").unwrap();
    for (key, bytes) in [("a", b), ("b", a), ("c", seal(plain(300, 3).to_vec()).into())] {
        inner.put_if_absent(key, vec![bytes]).unwrap();
        let errors = [store.get(key), store.get_range(key, 0..10)].map(|got| got.map(drop).unwrap_err());
        assert!(errors.iter().all(|error| error.kind == StoreErrorKind::Corrupt), "{errors:?}");
    }
}

#[test]
fn an_object_that_another_process_put_again_is_read_anew() {
    let Fixture { inner, store, .. } = fixture(8);
    let other = unlocked(inner, 9);
    for round in 1..5 {
        let content = plain(round * 40_000, round);
        store.put_if_absent("a", vec![content.clone()]).unwrap();
        assert!(store.get_range("a", 5..30_000).unwrap() == content.slice(5..30_000));
        assert!(other.get_range("a", 0..round * 40_000).unwrap() == content);
        if round.is_multiple_of(2) { store.delete("a") } else { other.delete("a") }.unwrap();
        assert_eq!(store.get_range("a", 1..9).unwrap_err().kind, StoreErrorKind::NotFound);
    }
}

#[test]
fn many_objects_are_read_in_turns_and_still_checked_to_the_last_byte() {
    let Fixture { disk, store, .. } = fixture(10);
    let count = OPENED_MAX as u64 + 10;
    for number in 0..count {
        store.put_if_absent(&format!("o/{number}"), vec![plain(10, number)]).unwrap();
    }
    store.put_if_absent("last", vec![plain(2 * FRAME, 1)]).unwrap();
    disk.flip_bit("/s/last", stored_len(2 * FRAME) - 1, 0);
    store.get_range("last", 0..FRAME).unwrap();
    for number in 0..OPENED_MAX as u64 - 1 {
        store.get_range(&format!("o/{number}"), 0..10).unwrap();
    }
    let error = store.get_range("last", FRAME..2 * FRAME).err().map(|error| error.kind);
    assert_eq!(error, Some(StoreErrorKind::Corrupt), "the hash of what was read before was kept");
}

#[test]
fn short_replies_and_a_dead_link_are_errors_and_no_content() {
    let Fixture { inner, store, .. } = fixture(11);
    store.put_if_absent("a", vec![plain(100_000, 1)]).unwrap();
    inner.set_rates(Rates { truncated_get: 1_000, ..Rates::default() });
    for error in [store.get("a"), store.get_range("a", 0..100)].map(|got| got.map(drop).unwrap_err()) {
        assert_eq!(error.kind, StoreErrorKind::NotFound, "{error}");
    }
    inner.set_rates(Rates::default());
    inner.go_down_after(Some(0));
    for error in [store.get("a"), store.get_range("a", 0..100)].map(|got| got.map(drop).unwrap_err()) {
        assert_eq!(error.kind, StoreErrorKind::Unreachable, "{error}");
    }
    inner.go_down_after(None);
    assert!(store.get("a").unwrap() == plain(100_000, 1));
}
