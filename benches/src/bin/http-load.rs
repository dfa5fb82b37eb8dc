//! Load on a server over HTTP: `http-load URL METHOD PATH [BODIES] [--connections N] [--seconds S] [--per-second R]
//! [--header 'NAME: VALUE'] [--fresh] [--json]`.
//!
//! `BODIES` is a file with one body a line, as `vectra export` and a few lines of script write them; each connection sends every
//! N-th line, from the first again after the last, and sends the next when the answer to the one before was read. All requests
//! are written down before the clock starts. With `--per-second` each connection sends no more than so many requests in a second.
//! With `--fresh` each request has a connection of its own, as the Python client does it on one machine. Answers other than 2xx are
//! counted apart; the first of them is shown.
//!
//! `http-load --door [WORKERS [MICROS [CONCURRENCY]]]` serves the smallest answer there is, after computing for so many microseconds,
//! to measure the door alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use platform::clock::{Clock, OsClock};
use platform::fs::{OsFileSystem, read_file};
use platform::http::client::{Client, ClientOptions, Prepared};
use platform::http::{Admission, Handler, Head, Method, Refusal, Request, Response, ServeOptions, serve};
use platform::process::wait_for_termination;

const USAGE: &str =
    "http-load URL METHOD PATH [BODIES] [--connections N] [--seconds S] [--per-second R] [--header 'NAME: VALUE'] [--fresh] [--json]";

/// What the command line says.
struct Options {
    plain: Vec<String>,
    connections: usize,
    seconds: u64,
    per_second: Option<u64>,
    headers: Vec<(String, String)>,
    is_fresh: bool,
    is_json: bool,
}

/// What a connection measured.
#[derive(Default)]
struct Measured {
    micros: Vec<u32>,
    refused: u64,
    first_refusal: Option<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--door") {
        let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().expect("a number"));
        return door(number(1, 2) as usize, number(2, 0), number(3, 64) as usize);
    }
    let options = read(arguments);
    let (url, method, path) = (options.plain.first().expect(USAGE), options.plain.get(1).expect(USAGE), options.plain.get(2).expect(USAGE));
    let method = Method::read(method);
    let bodies = options.plain.get(3).map_or_else(|| vec![Vec::new()], |file| lines(Path::new(file)));
    let (mut measured, seconds) = run(&options, url, method, path, &bodies);
    print(&options, &mut measured, seconds);
}

fn read(arguments: Vec<String>) -> Options {
    let mut options =
        Options { plain: Vec::new(), connections: 1, seconds: 5, per_second: None, headers: Vec::new(), is_fresh: false, is_json: false };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect(USAGE);
        match argument.as_str() {
            "--connections" => options.connections = value().parse().expect("a number of connections"),
            "--seconds" => options.seconds = value().parse().expect("a number of seconds"),
            "--per-second" => options.per_second = Some(value().parse().expect("a number of requests")),
            "--header" => {
                let value = value();
                let (name, value) = value.split_once(':').expect("a header is a name, a colon and a value");
                options.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            "--fresh" => options.is_fresh = true,
            "--json" => options.is_json = true,
            _ => options.plain.push(argument),
        }
    }
    options
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = read_file(&OsFileSystem::new(), path).expect("the file of bodies can be read");
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    assert!(!lines.is_empty(), "a file of bodies has a body");
    lines
}

fn run(options: &Options, url: &str, method: Method, path: &str, bodies: &[Vec<u8>]) -> (Measured, f64) {
    let mut headers = options.headers.clone();
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    let asked = ClientOptions { headers, ..ClientOptions::default() };
    let connect = || Client::new(url, asked.clone()).expect("a URL");
    let clients: Vec<(Client, Vec<Prepared>)> = (0..options.connections)
        .map(|at| {
            let client = connect();
            let own = bodies.iter().skip(at % bodies.len()).step_by(options.connections.min(bodies.len()));
            let prepared = own.map(|body| client.prepare(method, path, &[], body).expect("a path that can be sent")).collect();
            (client, prepared)
        })
        .collect();
    let clock = OsClock::new();
    let started = clock.monotonic_micros();
    let until = started + options.seconds * 1_000_000;
    let measured = std::thread::scope(|scope| {
        let clock = &clock;
        let fresh = options.is_fresh.then_some(&connect);
        let pace = options.per_second.map_or(0, |rate| 1_000_000 / rate.max(1));
        let threads: Vec<_> =
            clients.iter().map(|(client, own)| scope.spawn(move || connection(client, fresh, own, clock, (pace, until)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a connection measures to its end")).fold(Measured::default(), joined)
    });
    (measured, (clock.monotonic_micros() - started) as f64 / 1e6)
}

fn connection(
    kept: &Client,
    fresh: Option<&impl Fn() -> Client>,
    prepared: &[Prepared],
    clock: &OsClock,
    (pace, until): (u64, u64),
) -> Measured {
    let (mut measured, mut answer) = (Measured::default(), Vec::new());
    let mut now = clock.monotonic_micros();
    let mut due = now;
    for request in prepared.iter().cycle() {
        if now < due {
            clock.sleep(Duration::from_micros(due - now));
            now = clock.monotonic_micros();
        }
        due += pace;
        if now >= until {
            break;
        }
        let status = match fresh {
            Some(connect) => connect().send_prepared(request, &mut answer),
            None => kept.send_prepared(request, &mut answer),
        };
        let status = status.expect("the server answers");
        let then = std::mem::replace(&mut now, clock.monotonic_micros());
        measured.micros.push(u32::try_from(now - then).unwrap_or(u32::MAX));
        if !(200..300).contains(&status) {
            measured.refused += 1;
            measured.first_refusal.get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(&answer)));
        }
    }
    measured
}

fn joined(mut all: Measured, one: Measured) -> Measured {
    all.micros.extend(one.micros);
    all.refused += one.refused;
    all.first_refusal = all.first_refusal.or(one.first_refusal);
    all
}

fn print(options: &Options, measured: &mut Measured, seconds: f64) {
    measured.micros.sort_unstable();
    let count = measured.micros.len();
    let at = |share: f64| f64::from(measured.micros[((count as f64 * share) as usize).min(count - 1)]) / 1e3;
    let (connections, refused, per_second) = (options.connections, measured.refused, count as f64 / seconds);
    let (p50, p99, p999, max) = (at(0.5), at(0.99), at(0.999), at(1.0));
    let mut line = if options.is_json {
        format!(
            "{{\"name\":\"http_load\",\"path\":\"{}\",\"connections\":{connections},\"seconds\":{seconds:.2},\"requests\":{count},\"refused\":{refused},\"per_s\":{per_second:.0},\"p50_ms\":{p50:.3},\"p99_ms\":{p99:.3},\"p999_ms\":{p999:.3},\"max_ms\":{max:.3}}}\n",
            options.plain[2]
        )
    } else {
        format!(
            "{per_second:.0} requests/s over {connections} connections, p50 {p50:.3} ms, p99 {p99:.3} ms, p99.9 {p999:.3} ms, max {max:.3} ms, {refused} refused\n"
        )
    };
    if let Some(refusal) = measured.first_refusal.as_ref().filter(|_| !options.is_json) {
        line.push_str(&format!("the first refusal: {refusal}\n"));
    }
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("stdout takes a line");
}

/// The smallest answer, after some work.
struct Trivial {
    clock: OsClock,
    micros: u64,
}

impl Handler for Trivial {
    fn admit(&self, _head: &Head) -> Result<Admission, Response> {
        Ok(Admission { body_max: 1 << 20, is_streamed: false, is_urgent: false })
    }

    fn handle(&self, _request: Request) -> Response {
        let until = self.clock.monotonic_micros() + self.micros;
        while self.micros > 0 && self.clock.monotonic_micros() < until {
            std::hint::spin_loop();
        }
        Response::new(200, "application/json", "{\"result\":true,\"status\":\"ok\",\"time\":0.0}")
    }

    fn refuse(&self, _head: Option<&Head>, refusal: Refusal) -> Response {
        Response::new(500, "text/plain", format!("{refusal:?}"))
    }
}

fn door(workers: usize, micros: u64, concurrency_max: usize) {
    let options = ServeOptions { workers, concurrency_max, ..ServeOptions::default() };
    let door = serve("127.0.0.1:0", options, Arc::new(Trivial { clock: OsClock::new(), micros })).expect("a port is free");
    let line = format!("http://{}\n", door.local_address());
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("stdout takes a line");
    wait_for_termination(None).expect("signals can be waited for");
    door.stop(Duration::from_secs(5));
}
