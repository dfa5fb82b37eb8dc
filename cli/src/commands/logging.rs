//! The log of a server, as its configuration asks for.

use crate::config::Config;
use crate::exit::{Failure, usage};
use crate::output::Output;
use platform::log::{self, Filter, Format};
use std::str::FromStr;

/// Begins to write the log. From here on nothing that is said on stderr waits for whoever reads it.
pub(super) fn start(config: &Config, out: &Output) -> Result<(), Failure> {
    let filter: Filter = read(config, "server.log")?;
    let format: Format = read(config, "server.log_format")?;
    out.say_through(Box::new(log::start(&filter, format)));
    Ok(())
}

fn read<T: FromStr<Err = String> + Default>(config: &Config, key: &str) -> Result<T, Failure> {
    let Some(text) = config.text(key) else { return Ok(T::default()) };
    text.parse().map_err(|why| usage(format!("\"{key}\" is not what it has to be")).with_expected(why, text.escape_debug()))
}
