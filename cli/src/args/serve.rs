//! The words of `vectra serve`.

use clap::Args;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Examples:
  vectra serve
  vectra serve --listen 0.0.0.0:6333 --data-dir /var/lib/vectra
  vectra serve --tls-certificate server.pem --tls-key server.key

Keys: VECTRA_API_KEY or VECTRA_API_KEY_FILE (may do everything), VECTRA_READ_ONLY_API_KEY or
VECTRA_READ_ONLY_API_KEY_FILE (may read). Without any, everybody who reaches the address may do everything.

SIGTERM and SIGINT end it: requests that began are answered, then the database is closed.

Exit codes: 0 ended as asked, 2 usage, 4 another process has the database, 5 corrupt, 7 cannot listen";

/// How the database is served.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6333")]
    pub listen: String,
    /// The certificates of the server in PEM, its own first: speaks HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Most bytes of a request's body, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub max_request_mib: u64,
    /// Requests that are worked on at once; others wait [default: 4 a core]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: Option<u16>,
}
