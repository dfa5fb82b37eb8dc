//! What the printing door promises its readers.

use super::*;
use platform::clock::SimClock;
use std::time::Duration;

/// A stream that remembers, and can be told to fail.
#[derive(Clone, Default)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    fails: Option<io::ErrorKind>,
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.fails {
            return Err(kind.into());
        }
        lock(&self.bytes).extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    fn text(&self) -> String {
        String::from_utf8(lock(&self.bytes).clone()).unwrap()
    }
}

fn output(json: bool, quiet: bool) -> (Output, Stream, Stream, Arc<SimClock>) {
    let (out, err) = (Stream::default(), Stream::default());
    let clock = Arc::new(SimClock::new(0));
    let output = Output::new(json, quiet, clock.clone(), Box::new(out.clone()), Box::new(err.clone()));
    (output, out, err, clock)
}

fn failure() -> Failure {
    Failure::corrupt("cannot open segment 42 of collection \"docs\"")
        .with_object("docs")
        .with_file(std::path::Path::new("segments/42"))
        .with_offset(4096)
        .with_expected("0x1c", "0x00")
        .with_hint("run \"vectra collections backup verify\" to find a good copy")
}

#[test]
fn results_and_everything_else_never_share_a_stream() {
    let (output, out, err, _) = output(false, false);
    output.result("7").unwrap();
    output.note("done");
    output.warn("same device");
    assert_eq!(out.text(), "7\n");
    assert_eq!(err.text(), "done\nwarning: same device\n");
}

#[test]
fn quiet_silences_notes_and_progress_but_neither_warnings_nor_errors() {
    let (output, out, err, clock) = output(false, true);
    output.note("done");
    let progress = output.progress("import", Some(10), Unit::Points);
    clock.advance(Duration::from_secs(60));
    progress.set(5);
    drop(progress);
    assert_eq!(err.text(), "");
    output.warn("same device");
    output.error(&failure());
    assert!(err.text().starts_with("warning: same device\nerror: cannot open segment 42"), "{}", err.text());
    assert_eq!(out.text(), "");
}

#[test]
fn an_error_in_text_names_place_values_and_next_step() {
    let (output, _, err, _) = output(false, false);
    output.error(&failure());
    let text = err.text();
    for part in ["error: ", "\"segments/42\"", "offset 4096", "expected 0x1c, got 0x00", "\nhint: run \"vectra"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn an_error_in_json_has_every_documented_key() {
    let (output, _, err, _) = output(true, false);
    output.error(&failure());
    let value: serde_json::Value = serde_json::from_str(err.text().trim_end()).unwrap();
    let keys: Vec<&str> = value["error"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["kind", "message", "object", "file", "offset", "expected", "got", "hint", "exit"]);
    assert_eq!(value["error"]["kind"], "corrupt");
    assert_eq!(value["error"]["offset"], 4096);
    assert_eq!(value["error"]["exit"], 5);
    output.error(&Failure::not_found("no collection"));
    let last = err.text().lines().last().unwrap().to_owned();
    let value: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(value["error"]["file"], serde_json::Value::Null);
}

#[test]
fn every_line_on_stderr_is_json_when_json_is_asked_for() {
    let (output, _, err, clock) = output(true, false);
    output.note("a \"quoted\"\nnote");
    output.warn("careful");
    let progress = output.progress("backup", Some(2_048), Unit::Bytes);
    clock.advance(Duration::from_secs(11));
    progress.set(1_024);
    output.error(&failure());
    let events: Vec<serde_json::Value> = err.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 4);
    assert_eq!(events[2]["event"], "progress");
    assert_eq!((&events[2]["done"], &events[2]["total"]), (&1_024.into(), &2_048.into()));
}

#[test]
fn without_a_terminal_progress_is_a_line_every_ten_seconds() {
    let (output, _, err, clock) = output(false, false);
    let progress = output.progress("import", Some(1_000_000), Unit::Points);
    for second in 1..=25 {
        clock.advance(Duration::from_secs(1));
        progress.set(second * 1_000);
    }
    drop(progress);
    let text = err.text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("import: 10,000 of 1,000,000 points (1%)"), "{text}");
}

#[test]
fn a_reader_who_goes_away_is_no_failure_and_the_command_goes_on() {
    let gone = Stream { fails: Some(io::ErrorKind::BrokenPipe), ..Stream::default() };
    let output = Output::new(false, false, Arc::new(SimClock::new(0)), Box::new(gone), Box::new(Stream::default()));
    assert!(!output.is_closed());
    output.result("1").unwrap();
    assert!(output.is_closed());
    output.result("2").unwrap();
    output.finish().unwrap();
}

#[test]
fn a_full_disk_under_stdout_is_a_failure() {
    let full = Stream { fails: Some(io::ErrorKind::StorageFull), ..Stream::default() };
    let output = Output::new(false, false, Arc::new(SimClock::new(0)), Box::new(full), Box::new(Stream::default()));
    assert_eq!(output.result("1").unwrap_err().kind, ErrorKind::NoSpace);
}
