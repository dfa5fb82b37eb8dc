//! What is shipped to run the program as a service names words that the program knows.

use super::*;
use clap::CommandFactory;

const UNIT: &str = include_str!("../../../packaging/systemd/vectra.service");
const IMAGE: &str = include_str!("../../../Dockerfile");
/// Seconds that requests get once the server is told to end.
const GRACE_SECONDS: u32 = 30;

fn settings(name: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

/// Checks that variables are some that the help tells of.
fn are_known<'a>(names: impl Iterator<Item = &'a str>) {
    let help = render_markdown(Cli::command());
    let mut count = 0;
    for name in names {
        // A whole word: what it begins with may be another variable.
        let is_told =
            help.match_indices(name).any(|(at, _)| !help[at + name.len()..].starts_with(|c: char| c == '_' || c.is_ascii_alphanumeric()));
        assert!(name.starts_with("VECTRA_") && is_told, "no help tells of {name}");
        count += 1;
    }
    assert!(count > 1);
}

#[test]
fn the_unit_starts_a_server_with_words_and_variables_that_there_are() {
    let commands = settings("ExecStart");
    assert_eq!(commands.len(), 1);
    let words: Vec<&str> = commands[0].split_whitespace().collect();
    assert_eq!(words[0], "/usr/bin/vectra");
    assert!(matches!(Cli::try_parse_from(words).unwrap().command, Command::Serve(_)));
    are_known(settings("Environment").iter().filter_map(|setting| Some(setting.split_once('=')?.0)));
}

#[test]
fn the_unit_gives_the_server_time_to_end_and_hides_its_key() {
    let stop: u32 = settings("TimeoutStopSec")[0].parse().unwrap();
    assert!(stop > GRACE_SECONDS);
    assert_eq!(settings("KillSignal"), ["SIGTERM"]);
    // Keys come as files, never as values.
    assert!(settings("Environment").iter().all(|setting| !setting.contains("KEY=")));
    assert!(settings("Environment").contains(&"VECTRA_API_KEY_FILE=%d/api-key"));
    assert!(settings("LoadCredential")[0].starts_with("api-key:"));
}

#[test]
fn the_image_starts_a_server_that_is_not_root_with_words_and_variables_that_there_are() {
    let line = |name: &str| IMAGE.lines().rev().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}")).trim();
    let mut words: Vec<String> = serde_json::from_str(line("ENTRYPOINT")).unwrap();
    words.extend(serde_json::from_str::<Vec<String>>(line("CMD ")).unwrap());
    assert!(matches!(Cli::try_parse_from(words).unwrap().command, Command::Serve(_)));
    are_known(line("ENV ").split_whitespace().filter_map(|pair| Some(pair.split_once('=')?.0)));
    assert_eq!((line("USER "), line("STOPSIGNAL ")), ("vectra", "SIGTERM"));
}
