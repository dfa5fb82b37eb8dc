//! An S3 server in memory, in the process of a test, that fails when it is told to.
//!
//! It speaks what the `s3s` crate speaks and checks signatures; an object is put and looked at under one
//! lock, so that `If-None-Match` is as atomic as S3 promises. [`Faults`] spoil its replies by a seed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::sync::oneshot;

mod bucket;
mod faults;
mod multipart;
mod operations;

pub use faults::Faults;
use faults::Spoiler;
use operations::Memory;

/// The id of the one user.
pub const ACCESS_KEY: &str = "test-access-key";
/// The secret of the one user; it must never be seen in any output.
pub const SECRET_KEY: &str = "test-secret-key-0123456789";

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    memory: Memory,
    spoiler: Arc<Spoiler>,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server without buckets on a free port of this machine.
    ///
    /// # Panics
    ///
    /// Panics if no port can be had.
    #[must_use]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of this machine is free");
        let address = listener.local_addr().expect("a listener has an address");
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let (memory, spoiler, requests) = (Memory::default(), Arc::new(Spoiler::default()), Arc::default());
        let mut builder = S3ServiceBuilder::new(memory.clone());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let handler = Handler { service: builder.build(), spoiler: Arc::clone(&spoiler), requests: Arc::clone(&requests) };
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().expect("a runtime can be made");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("the listener works");
                tokio::select! {
                    () = accept(listener, handler) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, memory, spoiler, requests, stop: Some(stop), thread: Some(thread) }
    }

    /// Returns the address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the environment variables with which a client reaches it.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-west-2".to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Makes an empty bucket.
    pub fn create_bucket(&self, name: &str) {
        self.memory.create_bucket(name);
    }

    /// Lets lists end after so many objects, so that clients must ask for more.
    pub fn set_page_len(&self, len: usize) {
        self.memory.set_page_len(len);
    }

    /// Begins to fail as `faults` say; their seed begins anew.
    pub fn set_faults(&self, faults: Faults) {
        self.memory.set_stale_list(faults.stale_list);
        self.spoiler.set(faults);
    }

    /// Returns how many faults have struck.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.spoiler.injected()
    }

    /// Returns the keys of a bucket, sorted; none if there is no such bucket.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.memory.keys(bucket)
    }

    /// Returns how many uploads in parts were begun and neither joined nor aborted.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.memory.open_uploads()
    }

    /// Returns the requests so far, each as method, path and query, and forgets them.
    #[must_use]
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // It panicked only if a test has failed already.
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Handler {
    service: S3Service,
    spoiler: Arc<Spoiler>,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn accept(listener: tokio::net::TcpListener, handler: Handler) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Small replies must not wait for one another.
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let line = format!("{} {}", request.method(), request.uri());
            handler.requests.lock().push(line);
            let (spoiler, service) = (Arc::clone(&handler.spoiler), handler.service.clone());
            async move { spoiler.serve(&service, request).await }
        });
        // A connection that breaks is the client's to notice.
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
