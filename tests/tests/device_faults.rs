//! Single faults of the device and the clock: full disks, syncs that fail, lost directory syncs, wall clocks that jump.

use engine::{Database, ErrorKind};
use platform::fs::{CrashKeep, SyncFault};
use platform::sim::SimWorld;
use vectra_tests::faults::{DATA, create, ids, only, open, open_database};

const KEEPS: [CrashKeep; 3] = [CrashKeep::Nothing, CrashKeep::Random, CrashKeep::Everything];

fn used(machine: &SimWorld) -> u64 {
    machine.disk.paths().iter().filter_map(|path| machine.disk.durable_bytes(path)).map(|bytes| bytes.len() as u64).sum()
}

/// F23: a full disk refuses the write, cuts it off again, goes on reading, and takes writes when there is room, without a restart.
#[test]
fn a_full_disk_acknowledges_nothing_and_writes_resume_when_space_returns() {
    for room in (0..600).step_by(50) {
        let machine = SimWorld::new(23);
        let opened = create(&machine).unwrap();
        opened.put(0..3).unwrap();
        machine.disk.set_capacity(Some(used(&machine) + room));
        let refused = opened.put(10..20);
        assert_eq!(refused.unwrap_err().kind, ErrorKind::NoSpace, "with room for {room} bytes");
        assert_eq!(opened.ids().unwrap(), only(0..3), "reads work on a full disk");
        machine.disk.set_capacity(None);
        opened.put(20..25).unwrap();
        assert_eq!(opened.ids().unwrap(), ids(&[0..3, 20..25]));
        machine.disk.crash();
        assert_eq!(open(&machine).unwrap().ids().unwrap(), ids(&[0..3, 20..25]), "with room for {room} bytes");
    }
}

/// F24: a seal, its objects and its manifest may find the disk full at any byte; nothing changes, and the next one succeeds.
#[test]
fn a_disk_that_fills_up_while_sealing_changes_nothing() {
    let mut refusals = 0;
    for room in (0..24_000).step_by(300) {
        let machine = SimWorld::new(24);
        let opened = create(&machine).unwrap();
        opened.put(0..3).unwrap();
        opened.seal().unwrap();
        opened.put(10..20).unwrap();
        let before = used(&machine);
        machine.disk.set_capacity(Some(before + room));
        if let Err(error) = opened.seal() {
            assert_eq!(error.kind, ErrorKind::NoSpace, "{error}");
            refusals += 1;
            // A second and a third try meet what the first one left.
            assert!(opened.seal().is_err());
        }
        assert_eq!(opened.ids().unwrap(), ids(&[0..3, 10..20]), "with room for {room} bytes");
        machine.disk.set_capacity(None);
        opened.put(30..33).unwrap();
        opened.seal().unwrap();
        machine.disk.crash();
        let opened = open(&machine).unwrap();
        assert_eq!(opened.ids().unwrap(), ids(&[0..3, 10..20, 30..33]), "with room for {room} bytes");
        opened.seal().unwrap();
    }
    assert!(refusals > 10, "the disk was full at {refusals} places only");
}

/// F24, S16: a full disk refuses a new collection and leaves nothing of it.
#[test]
fn a_collection_that_does_not_fit_leaves_nothing() {
    for room in (0..9_000).step_by(500) {
        let machine = SimWorld::new(16);
        let opened = create(&machine).unwrap();
        let schema = engine::Schema::clone(&opened.collection.version().schema);
        machine.disk.set_capacity(Some(used(&machine) + room));
        let result = opened.database.create_collection("second", &schema);
        machine.disk.set_capacity(None);
        if let Err(error) = &result {
            assert_eq!(error.kind, ErrorKind::NoSpace, "{error}");
            assert!(!opened.database.state().collections.contains_key("second"));
        }
        machine.disk.crash();
        let database = open_database(&machine).unwrap();
        assert_eq!(database.state().collections.contains_key("second"), result.is_ok(), "with room for {room} bytes");
        let lives = machine.world().fs.list(&engine::database::collections_dir(database.dir())).unwrap().len();
        assert_eq!(lives, database.state().collections.len(), "no directory is left over");
    }
}

/// F6, S5: after a failed sync the log takes nothing; whoever starts again has everything acknowledged, durably, whatever is served.
#[test]
fn a_failed_sync_stops_acknowledgements_and_loses_none() {
    for keep in KEEPS {
        for close_first in [false, true] {
            let machine = SimWorld::new(6);
            let opened = create(&machine).unwrap();
            opened.put(0..3).unwrap();
            machine.disk.fail_syncs(SyncFault::Once);
            if close_first {
                opened.collection.close().unwrap_err();
            }
            let error = opened.put(10..13).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Io, "{error}");
            assert!(error.hint.is_some(), "{error}");
            // Syncs succeed again, and this process must not care.
            assert_eq!(opened.put(20..23).unwrap_err().kind, ErrorKind::Io);
            assert_eq!(opened.ids().unwrap(), only(0..3), "what failed is not visible");
            machine.disk.crash_keeping(CrashKeep::Everything);
            let opened = open(&machine).unwrap();
            let served = opened.ids().unwrap();
            assert!(served == only(0..3) || served == ids(&[0..3, 10..13]), "{served:?}");
            opened.put(30..33).unwrap();
            machine.disk.crash_keeping(keep);
            let mut expected = served;
            expected.extend(30..33);
            assert_eq!(open(&machine).unwrap().ids().unwrap(), expected, "keeping {keep:?}, close first {close_first}");
        }
    }
}

/// F6: a sync that fails at any moment of a clean close is made good by the next start.
#[test]
fn a_close_whose_syncs_fail_does_not_turn_into_corruption_later() {
    for nth in 1..8 {
        let machine = SimWorld::new(66);
        let opened = create(&machine).unwrap();
        opened.put(0..3).unwrap();
        machine.disk.fail_syncs(SyncFault::From(nth));
        let _ = opened.close();
        machine.disk.fail_syncs(SyncFault::None);
        machine.disk.crash_keeping(CrashKeep::Everything);
        let opened = open(&machine).unwrap();
        opened.put(10..13).unwrap();
        machine.disk.crash_keeping(CrashKeep::Nothing);
        assert_eq!(open(&machine).unwrap().ids().unwrap(), ids(&[0..3, 10..13]), "sync {nth} of the close failed");
    }
}

/// F6, F11: a seal whose n-th sync fails, once, in a process that goes on: what it acknowledges afterwards is there after a power cut.
#[test]
fn a_seal_whose_syncs_fail_leaves_a_log_that_is_right_or_takes_nothing() {
    for keep in KEEPS {
        for nth in 1..16 {
            let machine = SimWorld::new(7);
            let opened = create(&machine).unwrap();
            opened.put(0..3).unwrap();
            machine.disk.fail_syncs(SyncFault::From(nth));
            let sealed = opened.seal();
            machine.disk.fail_syncs(SyncFault::None);
            let mut expected = only(0..3);
            if opened.put(10..13).is_ok() {
                expected.extend(10..13);
            }
            assert_eq!(opened.ids().unwrap(), expected);
            machine.disk.crash_keeping(keep);
            let opened = open(&machine).unwrap_or_else(|error| panic!("sync {nth}, {sealed:?}, keeping {keep:?}: {error}"));
            let served = opened.ids().unwrap();
            assert!(served.is_superset(&expected), "sync {nth}, keeping {keep:?}: {served:?} lacks some of {expected:?}");
            opened.put(20..23).unwrap();
            machine.disk.crash_keeping(CrashKeep::Nothing);
            let again = open(&machine).unwrap_or_else(|error| panic!("sync {nth}, {sealed:?}, keeping {keep:?}, later: {error}"));
            let mut all = served;
            all.extend(20..23);
            assert_eq!(again.ids().unwrap(), all, "sync {nth}, keeping {keep:?}");
        }
    }
}

/// F7: while syncs keep failing, nothing is acknowledged, however often the process starts again.
#[test]
fn syncs_that_fail_for_ever_never_lead_to_an_acknowledgement() {
    let machine = SimWorld::new(77);
    let opened = create(&machine).unwrap();
    opened.put(0..3).unwrap();
    machine.disk.fail_syncs(SyncFault::From(1));
    assert!(opened.put(10..13).is_err());
    for _ in 0..4 {
        machine.disk.crash_keeping(CrashKeep::Everything);
        if let Ok(opened) = open(&machine) {
            assert!(opened.put(20..23).is_err(), "a start acknowledged although no sync succeeds");
        }
    }
    machine.disk.fail_syncs(SyncFault::None);
    machine.disk.crash();
    let served = open(&machine).unwrap().ids().unwrap();
    assert!(served == only(0..3) || served == ids(&[0..3, 10..13]), "{served:?}");
}

/// S15: within a process a step of the wall clock is not followed; data far ahead of it stops writers, but not those who accept it.
#[test]
fn commit_times_rise_whatever_the_wall_clock_does() {
    let machine = SimWorld::new(15);
    let opened = create(&machine).unwrap();
    let mut last = opened.put(0..1).unwrap().commit_time;
    for hours in [3_i64, -7, 24, -24] {
        machine.clock.step_wall(hours * 3_600_000_000);
        let next = opened.put(1..2).unwrap().commit_time;
        assert!(next > last && next < last + 10_000_000, "a step of {hours} hours: {last}, then {next}");
        last = next;
    }
    opened.close().unwrap();
    machine.clock.step_wall(-3_600_000_000);
    assert_eq!(open_database(&machine).map(drop).unwrap_err().kind, ErrorKind::Clock);
    let options = engine::database::DatabaseOptions { accept_clock: true, ..Default::default() };
    let database = Database::open(&machine.world(), std::path::Path::new(DATA), options).unwrap();
    let collection = database.collection("c").unwrap();
    assert!(collection.version().commit_time > machine.clock.peek_wall_micros());
    drop((collection, database));
    machine.clock.step_wall(6 * 3_600_000_000);
    let opened = open(&machine).unwrap();
    assert!(opened.put(5..6).unwrap().commit_time > last);
}
