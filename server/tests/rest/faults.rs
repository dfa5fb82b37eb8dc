//! A server on a disk that fills up or fails: what it answers, what it acknowledged, and how it goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::catalog::{ArchiveSettings, Durability};
use parking_lot::Mutex;
use platform::KnownBad;
use platform::fs::SyncFault;
use platform::http::Method;
use platform::object_store::sim::SimStore;
use platform::random::Stream;
use platform::sim::SimWorld;
use serde_json::{Value, json};
use server::Stores;

use super::Server;

/// Upserts one point whose payload weighs about so many bytes; gives the status.
fn upsert(server: &Server, id: u64, weight: usize) -> (u16, Value) {
    let mut stream = Stream::new(id);
    // Nothing that compresses.
    let text: String = (0..weight).map(|_| char::from(b' ' + stream.below(90) as u8)).collect();
    let point = json!({"id": id, "vector": [id, 1], "payload": {"weight": text}});
    server.ask(Method::Put, "/collections/c/points?wait=true", &json!({"points": [point]}).to_string())
}

fn ids(server: &Server) -> Vec<u64> {
    let page = server.ok(Method::Post, "/collections/c/points/scroll", &json!({"limit": 10_000, "with_payload": false}));
    page["points"].as_array().unwrap().iter().map(|point| point["id"].as_u64().unwrap()).collect()
}

#[test]
fn a_full_disk_is_507_reads_go_on_and_writes_resume_when_there_is_room_again() {
    let server = Server::with_points();
    let used = server.sim.disk.used_bytes();
    server.sim.disk.set_capacity(Some(used + (3 << 20)));
    let mut acknowledged: Vec<u64> = (0..10).collect();
    let mut refused = None;
    for id in 100..1_000 {
        match upsert(&server, id, 50_000) {
            (200, _) => acknowledged.push(id),
            (status, answer) => {
                refused = Some((id, status, answer));
                break;
            }
        }
    }
    let (first_refused, status, answer) = refused.expect("a disk of 3 MiB takes no 45 MB");
    assert_eq!((status, &answer["status"]["kind"]), (507, &json!("no_space")), "{answer}");
    assert_eq!(ids(&server), acknowledged, "reads go on, and show what was acknowledged alone");
    let found = server.ok(Method::Post, "/collections/c/points/query", &json!({"query": [3, 0], "limit": 1}));
    assert_eq!(found["points"][0]["id"], 3);
    server.sim.disk.set_capacity(None);
    assert_eq!(upsert(&server, first_refused, 50_000).0, 200, "the same request succeeds once there is room, without a restart");
    acknowledged.push(first_refused);
    let server = server.restarted();
    assert_eq!(ids(&server), acknowledged);
}

#[test]
fn a_failed_sync_acknowledges_nothing_ends_the_server_and_loses_nothing_that_was_acknowledged() {
    for keeps_failing in [false, true] {
        let server = Server::with_points();
        let fault = if keeps_failing { SyncFault::From(1) } else { SyncFault::Once };
        server.sim.disk.fail_syncs(fault);
        let (status, answer) = upsert(&server, 50, 10);
        assert_eq!(status, 500, "{answer}");
        assert!(server.ended.load(Ordering::Relaxed), "the process is told to end");
        assert!(server.host.broken().is_some());
        for id in 51..54 {
            let (status, answer) = upsert(&server, id, 10);
            assert_eq!(status, 500, "a sync is never tried again in this process: {answer}");
        }
        assert_eq!(ids(&server), (0..10).collect::<Vec<_>>(), "reads go on until then");
        assert!(server.host.stop().is_err(), "it does not end as if nothing were");
        let sim = server.sim.clone();
        drop(server);
        sim.disk.crash();
        sim.disk.fail_syncs(SyncFault::None);
        let server = Server::over(sim, super::Keys::default());
        let found = ids(&server);
        assert_eq!(found[..10], (0..10).collect::<Vec<_>>(), "{found:?}");
        assert!(found[10..].iter().all(|id| *id == 50), "only what was asked for may be there: {found:?}");
        assert_eq!(upsert(&server, 60, 10).0, 200);
    }
}

#[test]
fn a_collection_whose_archive_does_not_answer_holds_up_no_other() {
    let archive = Arc::new(Mutex::new(()));
    let (sim, asked) = (SimWorld::new(1), Arc::new(AtomicBool::new(false)));
    let (world, answers, told) = (sim.world(), archive.clone(), asked.clone());
    let stores = Stores::new(move |url| {
        told.store(true, Ordering::Release);
        let _answer = answers.lock();
        Ok(Arc::new(SimStore::open(world.fs.clone(), Path::new(url), KnownBad::default()).unwrap()))
    });
    let server = Server::reaching(stores, sim, super::Keys::default());
    for name in ["c", "away"] {
        server.ok(Method::Put, &format!("/collections/{name}"), &json!({"vectors": {"size": 2, "distance": "Euclid"}}));
        server.ok(Method::Put, &format!("/collections/{name}/points"), &json!({"points": [{"id": 1, "vector": [1, 1]}]}));
    }
    let settings = ArchiveSettings { url: "/archive".to_owned(), durability: Durability::Fsync, backlog_limit: 1 << 30, delay: 1_000 };
    // Not through the host: no thread of its own asks the archive.
    server.host.database().set_archive("away", Some(settings)).unwrap();
    server.host.database().drop_collection("away", false).unwrap();
    let away = archive.lock();
    server.host.database().undrop("away").unwrap();
    asked.store(false, Ordering::Release);
    std::thread::scope(|scope| {
        // The first request to it opens it, and its archive is asked whether it has an end that the log lost.
        let opening = scope.spawn(|| server.ask(Method::Post, "/collections/away/points/count", "{}"));
        while !asked.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert_eq!(server.count(), 1, "another collection answers meanwhile");
        let dropping = scope.spawn(|| server.host.database().drop_collection("away", false));
        assert_eq!(server.count(), 1, "and while what is being opened is to be dropped");
        drop(away);
        let (status, answer) = opening.join().unwrap();
        assert!(status == 200 || status == 503, "{answer}");
        dropping.join().unwrap().unwrap();
    });
    assert_eq!(server.ask(Method::Post, "/collections/away/points/count", "{}").0, 404);
    server.host.stop().unwrap();
}
