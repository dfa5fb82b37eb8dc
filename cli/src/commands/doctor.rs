//! `vectra doctor archive`: whether a store does what archives need.

use super::destination::{Location, Reach};
use crate::args::Globals;
use crate::exit::Failure;
use crate::output::Output;
use engine::ErrorKind;
use platform::World;
use serde_json::json;

/// Tries the store, and says what it found; exits 1 when it is not safe for two writers to meet in.
pub(super) fn run(globals: &Globals, out: &Output, url: &str) -> Result<(), Failure> {
    let world = World::real();
    let store = Location::parse(url, &Reach::of(globals))?.open_locked(&world)?;
    let report = pitr::doctor::probe(&world, &store);
    if out.is_json() {
        out.result_json(&json!({"store": report.store, "safe_for_takeover": report.safe_for_takeover, "clock_skew": report.skew_micros.map(|skew| skew as f64 / 1e6),
            "checks": report.checks.iter().map(|check| json!({"name": check.name, "ok": check.ok, "detail": check.detail})).collect::<Vec<_>>()}))?;
    } else {
        for check in &report.checks {
            out.row(&format!("{}  {}: {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail))?;
        }
    }
    if report.safe_for_takeover {
        return Ok(());
    }
    let failure = Failure::new(ErrorKind::Internal, format!("the store does not do what a takeover needs: {}", report.first_failure()));
    Err(failure.with_hint("one configured writer may archive here; there is no automatic takeover, and --exclusive is refused"))
}
