//! `vectra serve`: the database over HTTP, until somebody ends it.

use super::destination::Location;
use super::logging;
use super::session::Session;
use super::settle::threads;
use crate::api_key;
use crate::args::{Globals, ServeArgs};
use crate::config::{Config, KeyEntry};
use crate::exit::Failure;
use crate::hosted::InServer;
use crate::output::Output;
use engine::{Database, ErrorKind};
use platform::http::{self, ServeOptions, TlsIdentity};
use platform::process;
use server::commands::Commander;
use server::logs;
use server::schedules::Tell;
use server::{Api, ApiOptions, CollectionKey, Host, HostOptions, Keys, Stores, WhenBroken};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long requests that began may take once the server is told to end.
const GRACE: Duration = Duration::from_secs(30);

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(globals: &Globals, out: &Output, args: &ServeArgs) -> Result<(), Failure> {
    let config = super::config::load(globals, out, args)?;
    logging::start(&config, out)?;
    let session = &Session::at(config.data_dir(), globals, out)?;
    let keys = Keys {
        admin: api_key::find(&*session.world.fs, "VECTRA_API_KEY", config.text("keys.admin_file"))?,
        read_only: api_key::find(&*session.world.fs, "VECTRA_READ_ONLY_API_KEY", config.text("keys.read_only_file"))?,
        collections: config.collection_keys().iter().map(|entry| collection_key(session, entry)).collect::<Result<_, Failure>>()?,
    };
    let options = serve_options(session, &config)?;
    let is_open = keys.is_empty();
    let database = session.open_to_serve()?;
    let cores = threads().0;
    let stores = stores(session, &database);
    let commander = Commander(Some(Arc::new(InServer)));
    let api_options = ApiOptions { keys, commander: commander.clone(), ..ApiOptions::default() };
    let body_max = config.number("server.max_request_mib").map_or(api_options.body_max, |mib| mib << 20);
    let api = Arc::new(Api::opening(&session.world, ApiOptions { body_max, ..api_options }));
    let served = http::serve(config.text("server.listen").unwrap_or_default(), options, api.clone())
        .map_err(|error| Failure::new(ErrorKind::Unreachable, error.to_string()).with_hint("choose another address with --listen"))?;
    // Whoever watches is told from here on how far the collections are.
    let began = session.world.clock.monotonic_micros();
    let host = Host::start_watched(
        database,
        HostOptions { kernels: session.kernels, build_threads: cores.div_ceil(2), stores, when_broken: WhenBroken::new(process::end) },
        api.progress(),
    )?;
    host.set_goals(config.goals())?;
    host.set_sources(config.sources());
    run_schedules(session, &config, &host, commander)?;
    api.ready(host.clone());
    let address = served.local_address();
    if is_open && !address.ip().is_loopback() {
        session.out.warn("no api key is set, and the address is not this machine's alone: whoever reaches it may do everything");
    }
    let scheme = if config.text("server.tls_certificate").is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    host.database().announce(&url)?;
    session.out.announce(&format!("listening on {url}"));
    logs::ready(&url, host.names().collections.len(), session.world.clock.monotonic_micros().saturating_sub(began));
    let ended = process::wait_for_termination(None);
    ended.map_err(|error| Failure::new(ErrorKind::Io, format!("cannot wait for signals: {error}")))?;
    let broken = host.broken();
    logs::ending(broken.as_ref());
    if !served.stop(GRACE) {
        logs::given_up(GRACE);
    }
    let stopped = host.stop();
    logs::ended(stopped.as_ref().err());
    match broken {
        Some(cause) => Err(Failure::from(cause)),
        None => stopped,
    }
}

/// Reaches the stores of archives as every other command does.
fn stores(session: &Session<'_>, database: &Database) -> Stores {
    let (reach, dir) = (session.reach().clone(), database.dir().to_path_buf());
    Stores::new(move |url| Location::parse(url, &reach)?.open_destination(&dir))
}

/// Begins the schedules of the file, and those that commands set up. What they have to say is said where notes go.
fn run_schedules(session: &Session<'_>, config: &Config, host: &Arc<Host>, commander: Commander) -> Result<(), Failure> {
    for name in host.run_schedules(config.schedules()?, commander, Tell::new(logs::schedule))? {
        session.out.warn(&format!("schedule \"{name}\" was set up by a command, and is now what the configuration file says"));
    }
    Ok(())
}

fn serve_options(session: &Session<'_>, config: &Config) -> Result<ServeOptions, Failure> {
    let cores = threads().0;
    let concurrency = config.number("server.concurrency").and_then(|count| usize::try_from(count).ok());
    let tls = match (config.text("server.tls_certificate"), config.text("server.tls_key")) {
        (Some(certificate), Some(key)) => Some(TlsIdentity {
            certificates_pem: api_key::read(&*session.world.fs, Path::new(certificate))?,
            key_pem: api_key::read(&*session.world.fs, Path::new(key))?,
        }),
        _ => None,
    };
    Ok(ServeOptions { workers: cores, concurrency_max: concurrency.unwrap_or(4 * cores), tls, ..ServeOptions::default() })
}

fn collection_key(session: &Session<'_>, entry: &KeyEntry) -> Result<CollectionKey, Failure> {
    let key = api_key::first_line(&*session.world.fs, &entry.file)?;
    Ok(CollectionKey { collection: entry.collection.clone(), key, read_only: entry.read_only })
}
