//! `vectra version`: the version and the distance kernels in use.

use crate::exit::{Failure, usage};
use crate::output::Output;
use index::{Isa, Kernels};
use serde_json::json;

/// Prints the version.
pub(super) fn run(out: &Output) -> Result<(), Failure> {
    let kernels = chosen_kernels(platform::process::env("VECTRA_SIMD").as_deref())?;
    let version = env!("CARGO_PKG_VERSION");
    if out.is_json() {
        return out.result_json(&json!({"version": version, "simd": kernels.name()}));
    }
    out.result(&format!("vectra {version} (distance kernels: {})", kernels.name()))
}

/// Gives the kernels that `VECTRA_SIMD` forces, or the best of this machine.
///
/// # Errors
/// A usage failure when the variable names kernels that do not exist or do not run here.
pub fn chosen_kernels(forced: Option<&str>) -> Result<&'static Kernels, Failure> {
    let Some(name) = forced else {
        return Ok(Kernels::detect());
    };
    let hint = "unset VECTRA_SIMD to use the best kernels of this machine";
    let isa: Isa = name.parse().map_err(|_| {
        usage("VECTRA_SIMD names no kernels").with_expected("scalar, avx2, avx512 or neon", format!("{name:?}")).with_hint(hint)
    })?;
    Kernels::for_isa(isa).ok_or_else(|| usage(format!("VECTRA_SIMD={name} is not available on this machine")).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forced_kernels_that_cannot_run_are_a_usage_error() {
        assert_eq!(chosen_kernels(Some("scalar")).unwrap().name(), "scalar");
        assert_eq!(chosen_kernels(Some("fast")).unwrap_err().kind, engine::ErrorKind::Usage);
        let foreign = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
        assert_eq!(chosen_kernels(Some(foreign)).unwrap_err().kind, engine::ErrorKind::Usage);
    }
}
