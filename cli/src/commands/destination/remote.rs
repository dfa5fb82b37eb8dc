//! Object stores as locations: which this build has, and what a user can do when one does not open.

use crate::exit::{Failure, usage};
use engine::ErrorKind;
use pitr::archive::stored::store_error;
use platform::object_store::{ObjectStore, RemoteOptions, StoreErrorKind, StoreUrl, check_endpoint, open_url};
use std::sync::Arc;

const COPY_HINT: &str = "back up to a directory, and copy that with any tool: a backup can be moved";

/// Takes a URL that this build can open.
pub(super) fn supported(url: Result<StoreUrl, String>) -> Result<StoreUrl, Failure> {
    let url = url.map_err(usage)?;
    if url.scheme().is_in_this_build() { Ok(url) } else { Err(no_support(url.scheme().name())) }
}

/// The failure on a URL that this build cannot open.
pub(super) fn no_support(scheme: &str) -> Failure {
    usage(format!("this build has no support for {scheme}:// locations")).with_hint(COPY_HINT)
}

/// Opens a part of a bucket, with the credentials and settings of the environment.
pub(super) fn open(url: &StoreUrl, endpoint: Option<&str>) -> Result<Arc<dyn ObjectStore>, Failure> {
    if let Some(endpoint) = endpoint {
        check_endpoint(endpoint).map_err(|why| usage(why).with_hint("give --endpoint the address of the server alone"))?;
    }
    open_url(url, &RemoteOptions::from_environment(endpoint)).map_err(|error| {
        let failure = store_error(&error);
        match error.kind {
            // Not that a copy lacks something: there is no place for it.
            StoreErrorKind::NotFound => {
                Failure { kind: ErrorKind::Unreachable, ..failure }.with_hint("make the bucket, or correct its name")
            }
            StoreErrorKind::AccessDenied => failure.with_hint("check the credentials, and that they may list, read and write the bucket"),
            _ => failure,
        }
    })
}
