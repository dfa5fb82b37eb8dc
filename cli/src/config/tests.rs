//! What beats what, where a value is said to come from, what is refused, and that the document says what the code does.

use super::known::{KnownTable, TABLES};
use super::*;
use crate::args::{Cli, Command};
use clap::Parser;
use engine::ErrorKind;
use platform::sim::SimWorld;
use std::path::Path;

/// What a file, variables and flags say together.
fn resolve(file: &str, variables: &[(&str, &str)], flags: &str) -> Result<Config, Failure> {
    let words = format!("vectra serve {flags}");
    let flags = match Cli::try_parse_from(words.split_whitespace()).unwrap_or_else(|error| panic!("{words}: {error}")).command {
        Command::Serve(args) => args.given(),
        other => panic!("{words} is {other:?}"),
    };
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::resolve(&Spoken { flags, variables, file: Some((PathBuf::from("/etc/vectra.toml"), file.to_owned())) })
}

fn of_file(file: &str) -> Config {
    resolve(file, &[], "").unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn refused(file: &str) -> Failure {
    let failure = resolve(file, &[], "").map(|config| panic!("{file} was taken: {config:?}")).unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Usage, "{file}: {failure}");
    assert_eq!(failure.file.as_deref(), Some("/etc/vectra.toml"), "{file}: {failure}");
    failure
}

#[test]
fn a_flag_beats_a_variable_which_beats_the_file_which_beats_the_default_and_each_says_so() {
    let file = "[server]\nlisten = \"0.0.0.0:1\"\n";
    let variables = [("VECTRA_LISTEN", "0.0.0.0:2")];
    for (file, variables, flags, listen, origin) in [
        (file, &variables[..], "--listen 0.0.0.0:3", "0.0.0.0:3", "flag --listen"),
        (file, &variables[..], "", "0.0.0.0:2", "VECTRA_LISTEN"),
        (file, &[], "", "0.0.0.0:1", "/etc/vectra.toml:2"),
        ("", &[], "", "127.0.0.1:6333", "default"),
    ] {
        let config = resolve(file, variables, flags).unwrap();
        let given = &config.values["server.listen"];
        assert_eq!((config.text("server.listen"), given.origin.to_string().as_str()), (Some(listen), origin));
        assert_eq!(config.warnings, Vec::<String>::new());
    }
}

#[test]
fn a_value_that_cannot_be_meant_is_refused_with_its_line_its_key_and_what_was_expected() {
    for (file, says, expected, got) in [
        ("\n[server]\nmax_request_mib = \"many\"", "\"server.max_request_mib\" in line 3", "a whole number from 1 to 1024", "\"many\""),
        ("[server]\nmax_request_mib = 0", "\"server.max_request_mib\" in line 2", "a whole number from 1 to 1024", "\"0\""),
        ("server.concurrency = -1", "\"server.concurrency\" in line 1", "a whole number from 1 to 65535", "\"-1\""),
        ("server.listen = true", "\"server.listen\" in line 1", "a text", "true"),
        ("server.listen = \"\"", "\"server.listen\" in line 1", "a text", "\"\""),
        ("server = 7", "\"server\" in line 1", "[server]", "a value"),
        ("[archive.docs]\nrpo = \"soon\"", "\"archive.docs.rpo\" in line 2", "a length of time such as 90s, 1h30m, 7d or 4w", "\"soon\""),
        ("[archive]\ndocs = 7", "\"archive.docs\" in line 2", "a table", "a value"),
        ("[archive.\"../x\"]\nrpo = \"1s\"", "\"archive.../x\" in line 1", "the name of a collection", "../x"),
        ("[[archive]]\nrpo = \"1s\"", "\"archive\" in line 1", "[archive.NAME]", "a value"),
    ] {
        let failure = refused(file);
        assert!(failure.message.contains(says), "{file}: {failure}");
        assert_eq!((failure.expected.as_deref(), failure.got.as_deref()), (Some(expected), Some(got)), "{file}");
    }
}

#[test]
fn what_is_no_toml_is_refused_with_its_line_and_no_bytes_make_it_panic() {
    assert!(refused("a = 1\nb =\n").message.starts_with("line 2 is no TOML"), "{}", refused("a = 1\nb =\n"));
    assert!(refused("server.listen = \"a:1\"\nserver.listen = \"a:2\"").message.contains("line 2"));
    let whole =
        "data_dir = \"d\"\n[server]\nlisten = \"a:1\"\nmax_request_mib = 7\n[archive.docs]\nrpo = \"1m\"\n[keys]\nadmin_file = 'k'\n";
    for cut in 0..whole.len() {
        let _read_or_refused = resolve(&whole[..cut], &[], "");
        let turned: String = whole.char_indices().map(|(at, c)| if at == cut { '[' } else { c }).collect();
        let _read_or_refused = resolve(&turned, &[], "");
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert_eq!(refused(&deep).kind, ErrorKind::Usage);
}

#[test]
fn a_key_or_variable_that_nobody_knows_is_a_warning_with_the_nearest_that_somebody_does() {
    let config = of_file("[server]\nlisen = \"a:1\"\n[servr]\nlisten = \"a:1\"\n[archive.docs]\nrpoo = \"1s\"\ncolour = 1\n");
    let expected = [
        "/etc/vectra.toml:2: \"server.lisen\" is no setting, and is ignored; did you mean \"server.listen\"?",
        "/etc/vectra.toml:3: \"servr\" is no setting, and is ignored; did you mean \"server\"?",
        "/etc/vectra.toml:6: \"archive.docs.rpoo\" is no setting, and is ignored; did you mean \"rpo\"?",
        "/etc/vectra.toml:7: \"archive.docs.colour\" is no setting, and is ignored",
    ];
    let mut warnings = config.warnings;
    warnings.sort();
    assert_eq!(warnings, expected);
    let config = resolve("", &[("VECTRA_LISEN", "a:1"), ("VECTRA_URL", "http://a"), ("VECTRA_SIMD", "scalar")], "").unwrap();
    assert_eq!(config.warnings, ["the variable VECTRA_LISEN is no setting, and is ignored; did you mean VECTRA_LISTEN?"]);
}

#[test]
fn a_variable_that_cannot_be_meant_is_refused_by_its_name() {
    let failure = resolve("", &[("VECTRA_CONCURRENCY", "all")], "").unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Usage, "VECTRA_CONCURRENCY is not what it has to be"));
}

#[test]
fn relative_paths_of_a_file_begin_where_the_file_is() {
    let config = of_file("data_dir = \"../lib/data\"\n[server]\ntls_certificate = \"server.pem\"\ntls_key = \"/keys/./server.key\"\n");
    assert_eq!(config.data_dir(), Path::new("/etc/../lib/data"));
    assert_eq!((config.text("server.tls_certificate"), config.text("server.tls_key")), (Some("/etc/server.pem"), Some("/keys/server.key")));
    let variable = resolve("", &[("VECTRA_TLS_CERTIFICATE", "a.pem"), ("VECTRA_TLS_KEY", "a.key")], "").unwrap();
    assert_eq!(variable.text("server.tls_key"), Some("a.key"), "that of a variable where the process is");
}

#[test]
fn a_certificate_and_its_key_come_together_from_wherever_they_come() {
    assert!(resolve("server.tls_key = \"k\"", &[], "--tls-certificate c").is_ok());
    for (file, flags) in [("server.tls_key = \"k\"", ""), ("", "--tls-certificate c")] {
        assert_eq!(resolve(file, &[], flags).unwrap_err().kind, ErrorKind::Usage, "{file} {flags}");
    }
}

#[test]
fn a_key_of_the_api_is_known_to_be_set_and_is_nowhere_in_what_is_shown() {
    let config = resolve("keys.admin_file = \"k\"", &[("VECTRA_API_KEY", "hunter2")], "").unwrap();
    assert_eq!(config.secrets, ["VECTRA_API_KEY"]);
    assert_eq!(config.text("keys.admin_file"), None, "the variable beats the file");
    assert!(!format!("{config:?}").contains("hunter2"));
    let both = resolve("", &[("VECTRA_API_KEY", "hunter2"), ("VECTRA_API_KEY_FILE", "k")], "").unwrap_err();
    assert_eq!(both.kind, ErrorKind::Usage);
    assert!(!both.to_string().contains("hunter2"), "{both}");
}

#[test]
fn goals_are_those_of_their_collection() {
    let config = of_file("[archive.docs]\nrpo = \"60s\"\nwindow = \"7d\"\n[archive.\"a.b\"]\nrto = \"2m\"\n");
    let goals = config.goals();
    assert_eq!(goals["docs"], Goals { rpo: Some(60_000_000), rto: None, window: Some(604_800_000_000) });
    assert_eq!(goals["a.b"].rto, Some(120_000_000));
}

#[test]
fn a_schedule_that_cannot_be_carried_out_is_refused_with_its_line_before_anything_is_served() {
    let schedule = "[[schedule]]\ncollection = \"docs\"\ndestination = \"b\"\n";
    let drill = "[[drill]]\ncollection = \"docs\"\nsource = \"b\"\n";
    for (file, says) in [
        (schedule.to_owned(), "in line 1 cannot be carried out: a schedule says when it is due"),
        (format!("{schedule}every = \"1h\"\ncron = \"@daily\""), "an interval or a calendar, and not both"),
        (format!("{schedule}every = \"1h\"\ntimezone = \"UTC\""), "an interval has no zone"),
        (format!("{schedule}every = \"1ms\""), "\"schedule.every\" in line 4"),
        (format!("{schedule}cron = \"* * 30 2 *\""), "\"schedule.cron\" in line 4"),
        (format!("{schedule}every = \"1d\"\nkeep_daily = 0"), "\"schedule.keep_daily\" in line 5"),
        ("[[schedule]]\ncollection = \"docs\"\nevery = \"1d\"".to_owned(), "the [[schedule]] in line 1 has no \"destination\""),
        ("[[schedule]]\ncollection = \"--docs\"\ndestination = \"b\"".to_owned(), "\"schedule.collection\" in line 2"),
        ("[[schedule]]\ncollection = \"d\"\ndestination = \"b/%Y\"\nevery = \"1d\"\nkeep_full = 1".to_owned(), "fields of time"),
        (format!("{drill}every = \"1d\"\nto_time = \"yesterday\""), "\"drill.to_time\" in line 5"),
        (format!("{drill}every = \"1d\"\nrecall_min = 2"), "\"drill.recall_min\" in line 5"),
        (format!("{drill}every = \"1d\"\n{drill}every = \"1h\""), "two schedules are called \"drill-docs\", in lines 1 and 5"),
    ] {
        let failure = refused(&file);
        assert!(failure.message.contains(says), "{file}: {failure}");
    }
    let config =
        of_file(&format!("{schedule}every = \"1d\"\nkeep_daily = 7\n{drill}cron = \"@daily\"\nname = \"tried\"\nrecall_min = 1\n"));
    let entries = config.schedules().unwrap();
    assert_eq!((entries[0].name.as_str(), entries[0].location.as_str(), entries[0].keep.keep_daily), ("backup-docs", "/etc/b", Some(7)));
    assert_eq!(
        (entries[1].name.as_str(), entries[1].recall_min, entries[1].origin.as_deref()),
        ("tried", Some(1.0), Some("/etc/vectra.toml:6"))
    );
}

#[test]
fn a_file_that_is_named_has_to_be_there_and_one_that_is_not_need_not() {
    let world = SimWorld::new(1).world();
    let path = PathBuf::from("/etc/vectra.toml");
    let missing = read_file(&world, path.clone(), true).unwrap_err();
    assert_eq!((missing.kind, missing.file.as_deref()), (ErrorKind::Usage, Some("/etc/vectra.toml")));
    assert!(read_file(&world, path.clone(), false).unwrap().is_none());
    world.fs.create_dir_all(Path::new("/etc")).unwrap();
    assert_eq!(read_file(&world, PathBuf::from("/etc"), true).unwrap_err().kind, ErrorKind::Usage);
    world.write_file_durably(&path, b"\xff").unwrap();
    assert_eq!(read_file(&world, path.clone(), false).unwrap_err().offset, Some(0));
    world.write_file_durably(&path, &vec![b'#'; FILE_LEN_MAX as usize + 1]).unwrap();
    assert_eq!(read_file(&world, path, false).unwrap_err().kind, ErrorKind::Usage);
}

/// Renders the tables of the document.
fn tables() -> String {
    let row = |known: &known::Known| {
        let code = |text: Option<&str>| text.map(|text| format!("`{text}`")).unwrap_or_default();
        let (variable, flag) = (code(known.variable), code(known.flag));
        format!("| `{}` | {} | {} | {variable} | {flag} | {} |\n", known.key, known.kind, code(known.default), known.meaning)
    };
    let head = "| key | type | default | variable | flag | what it does |\n| --- | --- | --- | --- | --- | --- |\n";
    let mut page = format!("{head}{}", SETTINGS.iter().map(row).collect::<String>());
    for KnownTable { head, keys, needs, .. } in &TABLES {
        let is_needed = |known: &known::Known| {
            if needs.contains(&known.key) { "needed".to_owned() } else { known.default.map(|text| format!("`{text}`")).unwrap_or_default() }
        };
        page += &format!("\n### `{head}`\n\n| key | type | default | what it does |\n| --- | --- | --- | --- |\n");
        page += &keys
            .iter()
            .map(|known| format!("| `{}` | {} | {} | {} |\n", known.key, known.kind, is_needed(known), known.meaning))
            .collect::<String>();
    }
    page
}

#[test]
fn the_document_lists_what_can_be_set() {
    const MARKS: [&str; 2] = ["<!-- made from the code, by UPDATE_DOCS=1 cargo test -p vectra --lib -->\n", "<!-- until here -->\n"];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let fs = platform::fs::OsFileSystem::new();
    let written = String::from_utf8(platform::fs::read_file(&fs, &path).unwrap()).unwrap();
    let (before, rest) = written.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let page = format!("{before}{}{}{}{after}", MARKS[0], tables(), MARKS[1]);
    if platform::process::env("UPDATE_DOCS").is_some() {
        platform::fs::write_file_durably(&fs, &path, page.as_bytes()).unwrap();
    } else {
        assert!(written == page, "docs/configuration.md differs from what can be set; UPDATE_DOCS=1 rewrites it");
    }
}

#[test]
fn the_example_of_the_document_is_taken_without_a_warning() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = String::from_utf8(platform::fs::read_file(&platform::fs::OsFileSystem::new(), &path).unwrap()).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let config = of_file(example);
    assert_eq!(config.warnings, Vec::<String>::new());
    let said = config.rows.iter().map(|row| row.table);
    assert!(TABLES.iter().all(|table| said.clone().any(|said| said == table.name)), "the example shows every table");
}
