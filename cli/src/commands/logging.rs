//! The log of a server, as its configuration asks for.

use crate::config::Config;
use crate::exit::{Failure, usage};
use platform::log::{self, Filter, Format, Log};
use std::str::FromStr;

/// Begins to write the log, whose last lines are waited for when the value is dropped.
pub(super) fn start(config: &Config) -> Result<Log, Failure> {
    let filter: Filter = read(config, "server.log")?;
    let format: Format = read(config, "server.log_format")?;
    Ok(log::start(&filter, format))
}

fn read<T: FromStr<Err = String> + Default>(config: &Config, key: &str) -> Result<T, Failure> {
    let Some(text) = config.text(key) else { return Ok(T::default()) };
    text.parse().map_err(|why| usage(format!("\"{key}\" is not what it has to be")).with_expected(why, text.escape_debug()))
}
