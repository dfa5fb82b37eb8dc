//! Listens, accepts, and stops in order.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::{Line, Stage};
use super::exchange::Desk;
use super::incoming::Room;
use super::pool::Pool;
use super::private::OwnThread;
use super::tls;
use super::watch::Limits;
use super::{Handler, HttpError, ServeOptions};

/// Connections that may wait to be accepted: clients that make one for each request come in bursts.
const BACKLOG: u32 = 1024;
/// Threads beyond those for ordinary requests, for the urgent ones.
const URGENT_THREADS: usize = 8;
/// How long clients may go on asking on open connections after a stop; each answer tells them that it is the last.
const LAST_REQUESTS: Duration = Duration::from_millis(100);
/// How long answers to what did not begin in time may take.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// A pause after the system had no room for a connection.
const NO_ROOM: Duration = Duration::from_millis(20);

/// A server that listens, and answers on threads of its own until it is stopped or dropped.
pub struct HttpServer {
    address: SocketAddr,
    desk: Arc<Desk>,
    stage: watch::Sender<Stage>,
    slots: Arc<Semaphore>,
    slots_max: u32,
    permits_max: u32,
    running: Mutex<Option<Running>>,
}

struct Running {
    runtime: Runtime,
    accepting: JoinHandle<()>,
}

/// Begins to listen, and answers by `handler` from now on.
///
/// `listen` is an address with a port, as `127.0.0.1:6333`; port 0 has the system choose one.
///
/// # Errors
///
/// Fails if the address is none, is in use or not of this machine, and if the certificate or its key cannot be used.
pub fn serve(listen: &str, options: ServeOptions, handler: Arc<dyn Handler>) -> Result<HttpServer, HttpError> {
    let failed = |source| HttpError::new("listen on", listen, source);
    let count = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX).min(1 << 28);
    let (slots_max, permits_max) = (count(options.connections_max), count(options.concurrency_max));
    let tls = options.tls.as_ref().map(tls::server_config).transpose().map_err(failed)?.map(TlsAcceptor::from);
    let workers = options.workers.max(1);
    let runtime =
        Builder::new_multi_thread().worker_threads(workers).thread_name("http").enable_io().enable_time().build().map_err(failed)?;
    let listener = {
        let _inside = runtime.enter();
        bind(listen).map_err(failed)?
    };
    let address = listener.local_addr().map_err(failed)?;
    let desk = Arc::new(Desk {
        handler,
        pool: Pool::new(permits_max as usize + URGENT_THREADS, || Ok(())),
        permits: Arc::new(Semaphore::new(permits_max as usize)),
        waiting: AtomicUsize::new(0),
        queue_max: options.queue_max,
        room: Room::new(options.bodies_max),
        body_timeout: options.body_timeout,
        is_closing: AtomicBool::new(false),
    });
    let limits = Limits { head: options.head_timeout, write: options.body_timeout, idle: options.idle_timeout };
    let line = Arc::new(Line { desk: Arc::clone(&desk), limits, tls });
    let slots = Arc::new(Semaphore::new(slots_max as usize));
    let stage = watch::Sender::new(Stage::Open);
    // Threads of connections that do not end in time go on until they do: nobody waits for them.
    let private = Pool::new(options.private_max, || Builder::new_current_thread().enable_io().enable_time().build());
    let accepting = Accepting { line, private, slots: Arc::clone(&slots), stage: stage.subscribe() };
    let accepting = runtime.spawn(accepting.run(listener));
    let running = Mutex::new(Some(Running { runtime, accepting }));
    Ok(HttpServer { address, desk, stage, slots, slots_max, permits_max, running })
}

/// Opens the first of the addresses that can be opened.
fn bind(listen: &str) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "it names no address");
    for address in listen.to_socket_addrs()? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        // Connections that a former process closed do not keep the port from its successor.
        let bound = socket.and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        });
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl HttpServer {
    /// Returns the address that it listens on, with the port that the system chose.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets requests that were accepted end and be answered, and closes. Tells whether all of them ended
    /// within `grace`; those that had not begun are refused after it, and of the others nobody hears the end.
    pub fn stop(&self, grace: Duration) -> bool {
        let Some(Running { runtime, accepting }) = self.running.lock().take() else { return true };
        self.desk.is_closing.store(true, Ordering::Relaxed);
        self.stage.send_replace(Stage::Closing);
        let is_done = runtime.block_on(async {
            let all_ended = timeout(grace, async {
                let _ = accepting.await;
                // Clients that are sending a request just now are not cut off: the answer tells them to go.
                let _ = timeout(LAST_REQUESTS, self.all_closed()).await;
                self.stage.send_replace(Stage::Ends);
                self.all_closed().await;
                // What is left are requests whose clients went away.
                let _ = self.desk.permits.acquire_many(self.permits_max).await;
            });
            let is_done = all_ended.await.is_ok();
            if !is_done {
                self.stage.send_replace(Stage::Ends);
                self.desk.permits.close();
                let _ = timeout(LAST_ANSWERS, self.all_closed()).await;
                self.stage.send_replace(Stage::Over);
            }
            is_done
        });
        runtime.shutdown_background();
        is_done
    }

    async fn all_closed(&self) {
        // The accepting task gave up its own by now; each of the others is held by a connection.
        let _ = self.slots.acquire_many(self.slots_max).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

/// What is needed to take a connection.
struct Accepting {
    line: Arc<Line>,
    /// Threads that serve one connection each.
    private: Pool<Runtime>,
    slots: Arc<Semaphore>,
    stage: watch::Receiver<Stage>,
}

impl Accepting {
    async fn run(self, listener: TcpListener) {
        {
            let mut stage = self.stage.clone();
            let stopped = pin!(async move { stage.wait_for(|stage| *stage >= Stage::Closing).await.is_ok() });
            match select(pin!(self.accept(&listener)), stopped).await {
                Either::Left((never, _)) => match never {},
                Either::Right(_) => {}
            }
        }
        // Clients whose connection the system has made believe that they are connected: they are served too.
        if let Ok(listener) = listener.into_std() {
            while let (Ok((stream, peer)), Ok(slot)) = (listener.accept(), Arc::clone(&self.slots).try_acquire_owned()) {
                if stream.set_nonblocking(true).is_ok() {
                    self.take(stream, peer, slot);
                }
            }
        }
    }

    async fn accept(&self, listener: &TcpListener) -> Infallible {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned().await.expect("slots are never closed");
            match listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => self.take(stream, peer, slot),
                // Of no consequence if the client was faster to leave. Where the system has no room, it does not tell when it has: it
                // is asked again a moment later, instead of as often as a processor can.
                Err(_) => sleep_until(Instant::now() + NO_ROOM).await,
            }
        }
    }

    /// Gives a connection a thread for itself, or its share of those that all the others have.
    fn take(&self, stream: std::net::TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        // Nobody else gives out these threads, so the room that is seen is there.
        let own_thread = self.private.has_room().then(OwnThread::default);
        let (line, stage, own) = (Arc::clone(&self.line), self.stage.clone(), own_thread.clone());
        let serving = async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                line.serve(stream, peer, own, stage).await;
            }
            drop(slot);
        };
        match own_thread {
            Some(own_thread) => self.private.run(Box::new(move |runtime| own_thread.serve(runtime, serving))),
            None => {
                tokio::spawn(serving);
            }
        }
    }
}
