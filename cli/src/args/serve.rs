//! The words of `vectra serve`.

use crate::config::value::Value;
use clap::Args;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Examples:
  vectra serve
  vectra serve --listen 0.0.0.0:6333 --data-dir /var/lib/vectra
  vectra serve --config /etc/vectra.toml
  vectra serve --tls-certificate server.pem --tls-key server.key

A flag beats a variable, a variable the configuration file, the file the default: docs/configuration.md
lists them all, \"vectra config show --origin\" says what holds here and why.

Keys: VECTRA_API_KEY or VECTRA_API_KEY_FILE (may do everything), VECTRA_READ_ONLY_API_KEY or
VECTRA_READ_ONLY_API_KEY_FILE (may read). Without any, everybody who reaches the address may do everything.

Log on stderr: VECTRA_LOG is a level (off, error, warn, info, debug), or levels of its parts, as in
\"warn,http=debug\" (server, http, archive, upkeep, jobs, schedule); VECTRA_LOG_FORMAT is text or json.

/livez, /healthz and / answer at once; /readyz is 503 with how far it is until collections are open, other calls too.
SIGTERM and SIGINT end it: requests that began are answered, then the database is closed.

Exit codes: 0 ended as asked, 2 usage, 4 another process has the database, 5 corrupt, 7 cannot listen";

/// How the database is served.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// The configuration file, TOML [default: VECTRA_CONFIG, else vectra.toml in the data directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:6333]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The certificates of the server in PEM, its own first: speaks HTTPS
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Most bytes of a request's body, in MiB [default: 64]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub max_request_mib: Option<u64>,
    /// Requests that are worked on at once; others wait [default: 4 a core]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: Option<u16>,
}

impl ServeArgs {
    /// Gives what was said, by the keys of the configuration file.
    #[must_use]
    pub fn given(&self) -> Vec<(&'static str, Value)> {
        let path = |path: &PathBuf| Value::Text(path.to_string_lossy().into_owned());
        let said = [
            ("server.listen", self.listen.clone().map(Value::Text)),
            ("server.tls_certificate", self.tls_certificate.as_ref().map(path)),
            ("server.tls_key", self.tls_key.as_ref().map(path)),
            ("server.max_request_mib", self.max_request_mib.map(Value::Number)),
            ("server.concurrency", self.concurrency.map(|count| Value::Number(count.into()))),
        ];
        said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}
