//! The log of a server: one line on stderr for each event, as text or as JSON, chosen by level and by part.
//!
//! Parts are targets that begin with `vectra::`. What the crates below say is never shown: nobody promises that it holds no secret.

mod queue;

use std::io::Write;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use queue::Queue;

pub use tracing::{Level, debug, enabled, error, info, warn};

/// The parts of a server that write lines.
pub const PARTS: [&str; 6] = ["server", "http", "archive", "upkeep", "jobs", "schedule"];
/// What stands before the name of a part in a target.
const OURS: &str = "vectra::";
/// How long the end of a process waits for who reads its log.
const SETTLE: Duration = Duration::from_secs(1);

/// The lines of this process.
static OUT: OnceLock<Queue> = OnceLock::new();

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Time, level, part, words, then names and values.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("it is text or json".to_owned()),
        }
    }
}

/// Which lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The level of each part.
    parts: [LevelFilter; PARTS.len()],
}

impl Default for Filter {
    fn default() -> Self {
        Filter { parts: [LevelFilter::INFO; PARTS.len()] }
    }
}

impl FromStr for Filter {
    type Err = String;

    /// Reads a level for all parts, levels of single ones, or both: `warn`, `http=debug`, `warn,http=debug`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut filter = Filter::default();
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        // What is said of all parts holds for those of which nothing is said, wherever it stands.
        let (of_one, of_all): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
        for word in of_all {
            filter.parts = [level(word)?; PARTS.len()];
        }
        for (part, word) in of_one.iter().filter_map(|word| word.split_once('=')) {
            let name = part.trim().trim_start_matches(OURS);
            let at = PARTS.iter().position(|known| *known == name);
            let at = at.ok_or_else(|| format!("a part is one of {}", PARTS.join(", ")))?;
            filter.parts[at] = level(word.trim())?;
        }
        Ok(filter)
    }
}

fn level(word: &str) -> Result<LevelFilter, String> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err("a level is one of off, error, warn, info, debug, trace".to_owned()),
    }
}

impl Filter {
    fn targets(&self) -> Targets {
        let levels = PARTS.iter().zip(&self.parts);
        levels.fold(Targets::new().with_default(LevelFilter::OFF), |targets, (part, level)| {
            targets.with_target(format!("{OURS}{part}"), *level)
        })
    }
}

/// Begins to write lines on stderr, for the rest of this process. Who calls it first decides. What this gives takes other lines for
/// stderr: each call of `write` is dropped or written whole, in order with the log.
///
/// Nobody waits for whoever reads them: a line that finds 1 MiB of others before it is dropped, and counted.
pub fn start(filter: &Filter, format: Format) -> impl Write + Send + 'static {
    // A second server in one process writes as the first one does.
    let queue = OUT.get_or_init(|| {
        Queue::start(
            std::io::stderr(),
            |lines| warn!(target: "vectra::server", lines, "lines of this log were dropped: nobody read them in time"),
        )
    });
    let _first = tracing::subscriber::set_global_default(subscriber(filter, format, || queue.clone()));
    queue.clone()
}

/// Waits until all lines are written, for a second at most: for the end of a process. Without a log it does nothing.
pub fn settle() {
    if let Some(queue) = OUT.get() {
        queue.settle(SETTLE);
    }
}

/// Gives how many lines were dropped since this process began.
#[must_use]
pub fn dropped() -> u64 {
    OUT.get().map_or(0, Queue::dropped)
}

/// Writes what `work` does on this thread to `to` instead of stderr.
pub fn capture<T, W>(filter: &Filter, format: Format, to: W, work: impl FnOnce() -> T) -> T
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing::subscriber::with_default(subscriber(filter, format, to), work)
}

fn subscriber<W>(filter: &Filter, format: Format, to: W) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter.targets());
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(to);
    match format {
        Format::Text => Box::new(registry.with(layer)),
        Format::Json => Box::new(registry.with(layer.json().flatten_event(true).with_current_span(false).with_span_list(false))),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Takes lines, and nothing while it is locked.
    #[derive(Clone, Default)]
    pub(super) struct Lines(pub(super) Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: &str, format: Format) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        capture(
            &filter.parse().unwrap(),
            format,
            move || to.clone(),
            || {
                error!(target: "vectra::http", status = 500, "request failed");
                debug!(target: "vectra::http", route = "GET /", "request");
                info!(target: "vectra::archive", archive = %"s3://b", "archive back");
                error!(target: "hyper::proto", "a header: secret");
            },
        );
        let bytes = lines.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_chosen_by_level_and_part_and_those_of_others_never() {
        for (filter, found) in
            [("info", [true, false, true]), ("warn,http=debug", [true, true, false]), ("archive=info,off", [false, false, true])]
        {
            let text = written(filter, Format::Text);
            for (words, is_found) in
                ["request failed status=500", "request route=\"GET /\"", "archive back archive=s3://b"].iter().zip(found)
            {
                assert_eq!(text.contains(words), is_found, "{filter}: {words}: {text}");
            }
            assert!(!text.contains("secret"), "{text}");
        }
        assert!(!written("trace", Format::Json).contains("secret"));
    }

    #[test]
    fn a_line_of_json_is_one_object_with_the_values_beside_the_words() {
        let text = written("error", Format::Json);
        assert!(text.starts_with('{') && text.ends_with("}\n") && text.lines().count() == 1, "{text}");
        for part in
            ["\"message\":\"request failed\"", "\"status\":500", "\"target\":\"vectra::http\"", "\"level\":\"ERROR\"", "\"timestamp\":\""]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_no_filter_or_format_is_refused_with_what_there_is() {
        assert!("loud".parse::<Filter>().unwrap_err().contains("debug"));
        assert!("hyper=debug".parse::<Filter>().unwrap_err().contains("archive"));
        assert!("xml".parse::<Format>().is_err());
        assert_eq!("".parse::<Filter>().unwrap(), Filter::default());
        assert_eq!("http=debug,warn".parse::<Filter>(), "warn, http=debug".parse());
    }
}
