//! Searches, writes, an archive and backups together over time: how long searches take beside all of it, and whether memory stays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform::World;
use platform::fs::read_file;
use platform::http::Method;
use platform::http::client::Client;
use platform::random::Stream;
use serde_json::{Value, json};

use super::server::{Place, Server, ok};
use super::writers::{DIM, NAME, Writer, read};
use super::{Outcome, Plan};

/// Clients that search.
const SEARCHERS: u64 = 2;
/// How long the idle server is searched first.
const IDLE_SECONDS: u64 = 10;
/// Between two looks at the memory.
const LOOK: Duration = Duration::from_secs(1);

/// Runs searches alone for a while, then beside writers, an archive and backups; reports both latencies and the memory.
///
/// # Errors
/// When a request fails, or something acknowledged is missing in the end.
pub fn run(plan: &Plan) -> Outcome {
    let (world, place) = (World::real(), Place::new(&plan.program)?);
    let server = place.serve(&world)?;
    let client = server.client()?;
    ok(&client, Method::Put, &format!("/collections/{NAME}"), &json!({"vectors": {"size": DIM, "distance": "Euclid"}}))?;
    place.run(&["archive", "enable", NAME, "--to", "archive"])?;
    let writers: Vec<Writer> = (0..plan.writers).map(Writer::new).collect();
    // Every id is written at least once before anything is measured.
    let _filled = phase(&world, &server, &writers, &[], 10, &mut || Ok(()))?;
    let idle = phase(&world, &server, &[], &searchers(plan), IDLE_SECONDS, &mut || Ok(()))?;
    let mut backups = 0_u64;
    let mut back_up = || {
        let id = format!("b{backups}");
        place.run(&["collections", "backup", NAME, "--destination", "backups", "--snapshot-id", &id, "--wait"])?;
        backups += 1;
        if backups.is_multiple_of(20) {
            place.run(&["archive", "prune", "backups", "--keep-window", "1h", "--keep-full", "4"])?;
        }
        Ok(())
    };
    let loaded = phase(&world, &server, &writers, &searchers(plan), plan.seconds, &mut back_up)?;
    let found = read(&client, NAME)?;
    writers.iter().try_for_each(|writer| writer.settle(&found))?;
    let steps: u64 = writers.iter().map(Writer::acknowledged).sum();
    Ok(format!(
        "{} s: {steps} writes, {backups} backups\nsearches idle: {}\nsearches beside: {}\nown memory by tenths of the time, MiB: {}",
        plan.seconds,
        idle.latencies(),
        loaded.latencies(),
        loaded.memory(),
    ))
}

/// What a phase measured.
struct Measured {
    micros: Vec<u64>,
    resident: Vec<u64>,
}

impl Measured {
    fn latencies(&self) -> String {
        let at = |share: f64| self.micros[((self.micros.len() as f64 * share) as usize).min(self.micros.len() - 1)] as f64 / 1e3;
        format!(
            "{} of them, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.1} ms",
            self.micros.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        )
    }

    /// The largest of each tenth of the time.
    fn memory(&self) -> String {
        let tenth = self.resident.len().div_ceil(10).max(1);
        let peaks = self.resident.chunks(tenth).map(|chunk| (chunk.iter().max().copied().unwrap_or(0) >> 20).to_string());
        peaks.collect::<Vec<_>>().join(" ")
    }
}

fn searchers(plan: &Plan) -> Vec<Stream> {
    (0..SEARCHERS).map(|number| Stream::new(plan.seed ^ (number + 1) << 32)).collect()
}

/// Runs a load for so many seconds, and does something again and again meanwhile.
fn phase(
    world: &World,
    server: &Server,
    writers: &[Writer],
    searchers: &[Stream],
    seconds: u64,
    meanwhile: &mut dyn FnMut() -> Result<(), String>,
) -> Result<Measured, String> {
    let stop = AtomicBool::new(false);
    let clients = (0..writers.len() + searchers.len()).map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    let (of_writers, of_searchers) = clients.split_at(writers.len());
    let mut measured = Measured { micros: Vec::new(), resident: Vec::new() };
    std::thread::scope(|scope| {
        let writing: Vec<_> = writers.iter().zip(of_writers).map(|(writer, client)| scope.spawn(|| writer.run(client, &stop))).collect();
        let searching: Vec<_> = searchers
            .iter()
            .zip(of_searchers)
            .map(|(stream, client)| scope.spawn(|| search(world, client, stream.clone(), &stop)))
            .collect();
        let (watched, pid) = (&stop, server.pid());
        let watching = scope.spawn(move || watch(world, pid, watched));
        let until = world.clock.monotonic_micros() + seconds * 1_000_000;
        let mut outcome = Ok(());
        while outcome.is_ok() && world.clock.monotonic_micros() < until {
            outcome = meanwhile();
            world.clock.sleep(Duration::from_millis(500));
        }
        stop.store(true, Ordering::Release);
        for thread in writing {
            thread.join().map_err(|_| "a client panicked")??;
        }
        for thread in searching {
            measured.micros.extend(thread.join().map_err(|_| "a client panicked")??);
        }
        measured.resident = watching.join().map_err(|_| "the watch panicked")?;
        measured.micros.sort_unstable();
        outcome.map(|()| measured)
    })
}

/// Searches until it is told to stop; gives how long each took.
fn search(world: &World, client: &Client, mut stream: Stream, stop: &AtomicBool) -> Result<Vec<u64>, String> {
    let mut micros = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let query: Vec<Value> = (0..DIM).map(|_| json!(stream.below(251) as f32 - 125.0)).collect();
        let body = json!({"query": query, "limit": 10, "with_payload": true});
        let began = world.clock.monotonic_micros();
        let found = ok(client, Method::Post, &format!("/collections/{NAME}/points/query"), &body)?;
        micros.push(world.clock.monotonic_micros() - began);
        if found["points"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("a search found nothing: {found}"));
        }
        // A pause: what is measured is how long an answer takes beside the rest, not who gets the processors.
        world.clock.sleep(Duration::from_millis(5));
    }
    Ok(micros)
}

/// Looks at the memory of a process again and again; gives resident bytes of its own.
fn watch(world: &World, pid: u32, stop: &AtomicBool) -> Vec<u64> {
    let path = PathBuf::from(format!("/proc/{pid}/statm"));
    let mut resident = Vec::new();
    while !stop.load(Ordering::Acquire) {
        // Pages of 4 KiB: all, resident, resident of files; what is mapped of files is the system's. Elsewhere nothing is reported.
        let text = read_file(&*world.fs, &path).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let pages: Vec<u64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        if let [_, all, of_files, ..] = pages[..] {
            resident.push(all.saturating_sub(of_files) * 4096);
        }
        world.clock.sleep(LOOK);
    }
    resident
}
