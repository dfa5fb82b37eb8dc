//! The product's command lines parse word for word, and what is wrong is a usage error.

use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;
use engine::PointId;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(words(line))
}

/// Splits as a shell does where only single quotes are used.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn parsed(line: &str) -> Cli {
    parse(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(line: &str) -> clap::Error {
    match parse(line) {
        Ok(cli) => panic!("{line} was taken: {cli:?}"),
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{line}");
            error
        }
    }
}

fn backup(line: &str) -> BackupArgs {
    match parsed(line).command {
        Command::Collections(CollectionsCommand::Backup(args)) => args,
        other => panic!("{line} gives {other:?}"),
    }
}

fn restore(line: &str) -> RestoreArgs {
    match parsed(line).command {
        Command::Collections(CollectionsCommand::Restore(args)) => args,
        other => panic!("{line} gives {other:?}"),
    }
}

#[test]
fn the_grammar_has_no_contradictions() {
    Cli::command().debug_assert();
}

#[test]
fn the_full_backup_of_the_handbook_parses() {
    let args = backup(
        "vectra-cli collections backup products --destination /mnt/backups/vectra/products_full_20231027 --snapshot-id products_20231027_1000 --wait",
    );
    assert!(args.action.is_none());
    assert!(args.wait.wait);
    let create = args.create.unwrap();
    assert_eq!(create.name, "products");
    assert_eq!(create.destination, "/mnt/backups/vectra/products_full_20231027");
    assert_eq!(create.snapshot_id.as_deref(), Some("products_20231027_1000"));
    assert!(!create.full && create.parent.is_empty());
}

#[test]
fn the_scheduled_and_the_remote_backup_of_the_handbook_parse() {
    backup(
        "vectra-cli collections backup products --destination /mnt/backups/vectra/products_daily_20231027 --snapshot-id products_daily_20231027 --wait",
    );
    let args = backup(
        "vectra-cli collections backup products --destination s3://my-dr-bucket-us-west-2/vectra/products_1 --snapshot-id products_1 --wait",
    );
    assert_eq!(args.create.unwrap().destination, "s3://my-dr-bucket-us-west-2/vectra/products_1");
}

#[test]
fn verify_list_and_show_stand_where_a_name_could() {
    let args = backup("vectra-cli collections backup verify --source /mnt/backups/vectra/products_full_20231027");
    assert!(args.create.is_none());
    match args.action {
        Some(BackupAction::Verify(verify)) => {
            assert_eq!(verify.source, "/mnt/backups/vectra/products_full_20231027");
            assert_eq!((verify.level, verify.snapshot_id), (VerifyLevel::Data, None));
        }
        other => panic!("{other:?}"),
    }
    let args = backup("vectra collections backup verify --source a --level restore --snapshot-id s --parent b --parent c --json");
    match args.action {
        Some(BackupAction::Verify(verify)) => assert_eq!((verify.level, verify.parent.len()), (VerifyLevel::Restore, 2)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(backup("vectra collections backup list --source a").action, Some(BackupAction::List(_))));
    assert!(matches!(backup("vectra collections backup show --source a --snapshot-id s").action, Some(BackupAction::Show(_))));
}

#[test]
fn a_backup_says_what_is_missing_or_too_much() {
    refused("vectra collections backup");
    refused("vectra collections backup products");
    refused("vectra collections backup products --destination ''");
    refused("vectra collections backup --destination /b --snapshot-id s");
    refused("vectra collections backup verify");
    refused("vectra collections backup verify products --source a");
    refused("vectra collections backup verify --source a --level deep");
    refused("vectra collections backup products --destination a --parent b --full");
    let error = refused("vectra collections backup --destination a verify");
    assert!(error.to_string().contains("word of the command line"), "{error}");
}

#[test]
fn a_backup_takes_parents_and_can_be_forced_to_be_full() {
    let args = backup("vectra collections backup p --destination d --parent a --parent s3://b --wait-timeout 90");
    let create = args.create.unwrap();
    assert_eq!(create.parent, ["a", "s3://b"]);
    assert_eq!(args.wait.wait_timeout, Some(Duration::from_secs(90)));
    assert!(backup("vectra collections backup p --destination d --full").create.unwrap().full);
}

#[test]
fn the_restores_of_the_handbook_parse() {
    let args = restore("vectra-cli collections restore products --source /mnt/backups/backups/vectra/products_full_20231027 --wait");
    assert_eq!((args.name.as_deref(), args.new_collection_name.as_deref()), (Some("products"), None));
    let args = restore("vectra-cli collections restore products --source /mnt/backups/vectra/products_full_20231027 --wait");
    assert!(args.wait.wait && !args.replace && !args.dry_run && args.snapshot_id.is_none());
    let args = restore(
        "vectra-cli collections restore products --source /mnt/backups/vectra/products_full_20231027 --new-collection-name products_restored_test --wait",
    );
    assert_eq!((args.name.as_deref(), args.new_collection_name.as_deref()), (Some("products"), Some("products_restored_test")));
    let args = restore("vectra collections restore p --source a --snapshot-id s --replace --parent b --dry-run");
    assert!(args.replace && args.dry_run && args.parent == ["b"]);
    refused("vectra collections restore products");
    refused("vectra collections restore products --source a --new-collection-name verify");
    refused("vectra collections restore products --source a --new-collection-name ''");
}

#[test]
fn the_short_commands_of_the_handbook_parse() {
    for line in [
        "vectra-cli collections drop products",
        "vectra-cli collections drop products_restored_test",
        "vectra-cli collections list",
        "vectra-cli collections list -q",
        "vectra-cli collections count products",
        "vectra-cli collections count products_restored_test",
        "vectra aliases list",
        "vectra aliases set live products",
        "vectra aliases delete live",
        "vectra collections info products --json",
        "vectra --json collections info products",
        "vectra collections drop products --if-exists --purge --yes",
        "vectra collections purge",
        "vectra collections undrop products",
        "vectra collections optimize products",
        "vectra collections field-index products section --type keyword",
        "vectra version --json",
        "vectra completions zsh",
        "vectra man",
        "vectra man --output man1",
        "vectra demo",
        "vectra demo --points 1500000 --dim 128 --json",
        "vectra bench search --data dir",
    ] {
        parsed(line);
    }
    refused("vectra demo --dim 128");
    refused("vectra collections drop");
    refused("vectra collections field-index products section --type tree");
    refused("vectra nonsense");
    refused("vectra");
}

#[test]
fn indexes_are_configured_at_creation_later_and_from_a_file() {
    let line = "vectra collections create docs --dim 8 --memory compact --m 24 --ef-construction 200";
    match parsed(line).command {
        Command::Collections(CollectionsCommand::Create(CreateArgs { settings, .. })) => {
            assert_eq!((settings.memory, settings.m, settings.ef_construction), (Some(Memory::Compact), Some(24), Some(200)));
        }
        other => panic!("{other:?}"),
    }
    match parsed("vectra collections update docs --vector title --memory low --no-wait").command {
        Command::Collections(CollectionsCommand::Update(args)) => {
            assert_eq!((args.vector.as_deref(), args.settings.memory, args.settle.no_wait), (Some("title"), Some(Memory::Low), true));
        }
        other => panic!("{other:?}"),
    }
    parsed("vectra collections index export docs");
    parsed("vectra collections index export docs --output f.json");
    parsed("vectra collections index import docs f.json --no-wait");
    for line in [
        "vectra collections update docs",
        "vectra collections update docs --vector title",
        "vectra collections update docs --memory small",
        "vectra collections update docs --m 1",
        "vectra collections index",
        "vectra collections index import docs",
        "vectra collections index export",
    ] {
        refused(line);
    }
}

#[test]
fn a_recall_is_asked_for_instead_of_an_effort() {
    match parsed("vectra search docs --vectors q.npy --recall 0.95").command {
        Command::Search(args) => assert_eq!((args.recall.is_some(), args.ef), (true, None)),
        other => panic!("{other:?}"),
    }
    parsed("vectra bench search --data d --recall 0.99 --memory low");
    for words in ["--recall 0", "--recall 1.1", "--recall x", "--recall 0.9 --ef 10", "--recall 0.9 --exact"] {
        refused(&format!("vectra search docs --vectors q.npy {words}"));
    }
    refused("vectra bench search --data d --recall 0.9 --ef 10");
}

#[test]
fn a_collection_is_created_from_one_dimension_or_from_named_vectors() {
    let create = |line: &str| match parsed(line).command {
        Command::Collections(CollectionsCommand::Create(args)) => args,
        other => panic!("{other:?}"),
    };
    let args = create("vectra collections create docs --dim 384");
    assert_eq!((args.dim, args.distance, args.datatype, args.settings.index), (Some(384), Distance::Cosine, Datatype::F32, None));
    let args = create("vectra collections create docs --dim 8 --distance manhattan --index flat --datatype u8");
    assert_eq!((args.distance, args.datatype, args.settings.index), (Distance::Manhattan, Datatype::U8, Some(IndexKind::Flat)));
    let args = create("vectra collections create docs --vector a:3 --vector b:4:dot:f16 --index flat");
    assert_eq!((args.vector.len(), args.vector[1].distance), (2, Distance::Dot));
    for line in [
        "vectra collections create docs",
        "vectra collections create --dim 3",
        "vectra collections create docs --dim 0",
        "vectra collections create docs --dim 3 --vector a:3",
        "vectra collections create docs --vector a:3 --distance dot",
        "vectra collections create docs --dim 3 --distance near",
    ] {
        refused(line);
    }
    for name in RESERVED_NAMES {
        refused(&format!("vectra collections create {name} --dim 3"));
        refused(&format!("vectra aliases set {name} docs"));
    }
}

#[test]
fn an_import_reads_vectors_or_lines() {
    let import = |line: &str| match parsed(line).command {
        Command::Import(args) => args,
        other => panic!("{other:?}"),
    };
    let args =
        import("vectra import docs --vectors v.npy --ids i.npy --payload p.jsonl.gz --batch 100 --using title --from-row 7 --no-wait");
    assert_eq!((args.batch, args.from_row, args.settle.no_wait), (100, 7, true));
    let args = import("vectra import docs --jsonl -");
    assert_eq!((args.jsonl, args.batch, args.from_row), (Some(PathBuf::from("-")), 1_000, 0));
    for line in [
        "vectra import docs",
        "vectra import --vectors v.npy",
        "vectra import docs --vectors v.npy --jsonl -",
        "vectra import docs --jsonl - --ids i.npy",
        "vectra import docs --jsonl - --using title",
        "vectra import docs --vectors v.npy --batch 0",
        "vectra import docs --vectors v.npy --from-row -1",
        "vectra import docs --vectors v.npy --no-wait --wait-timeout 3",
    ] {
        refused(line);
    }
    parsed("vectra export docs --jsonl -");
    refused("vectra export docs");
}

#[test]
fn a_search_walks_or_scans_but_not_both() {
    let search = |line: &str| match parsed(line).command {
        Command::Search(args) => args,
        other => panic!("{other:?}"),
    };
    let args = search(
        "vectra search docs --vectors q.npy --rows 0..10 --top 5 --ef 100 --filter '{\"must\":[]}' --using title --with-payload --json",
    );
    assert_eq!((args.top, args.ef, args.exact), (5, Some(100), false));
    assert_eq!(args.rows, Some(RowRange { start: 0, end: Some(10) }));
    assert_eq!(args.filter.as_deref(), Some("{\"must\":[]}"));
    assert_eq!(search("vectra search docs --vectors q.npy").top, 10);
    refused("vectra search docs --vectors q.npy --ef 10 --exact");
    refused("vectra search docs --vectors q.npy --rows 10..0");
    refused("vectra search docs --vectors q.npy --top 0");
    refused("vectra search docs");
}

#[test]
fn points_are_named_by_id_or_by_filter() {
    let get = match parsed("vectra points get docs --ids 1,00112233-4455-6677-8899-aabbccddeeff --with-vector").command {
        Command::Points(PointsCommand::Get(args)) => args,
        other => panic!("{other:?}"),
    };
    assert_eq!((get.ids[0], get.ids.len()), (PointId::Number(1), 2));
    parsed("vectra points upsert docs --jsonl -");
    parsed("vectra points delete docs --ids 1,2");
    parsed("vectra points delete docs --filter '{}'");
    parsed("vectra points set-payload docs --ids 1 --payload '{\"a\":1}'");
    refused("vectra points delete docs");
    refused("vectra points delete docs --ids 1 --filter '{}'");
    refused("vectra points get docs --ids one");
    refused("vectra points get docs --ids ''");
    refused("vectra points set-payload docs --payload '{}'");
    refused("vectra points set-payload docs --ids 1");
}

#[test]
fn global_options_stand_before_or_behind_the_command() {
    for line in [
        "vectra --data-dir /d --lock-wait 2.5 --json -q --accept-clock collections list",
        "vectra collections list --data-dir /d --lock-wait 2.5 --json --quiet --accept-clock",
    ] {
        let globals = parsed(line).globals;
        assert_eq!(globals.data_dir, Some(PathBuf::from("/d")));
        assert_eq!(globals.lock_wait, Duration::from_millis(2_500));
        assert!(globals.json && globals.quiet && globals.accept_clock);
    }
    let globals = parsed("vectra collections list --url http://host").globals;
    assert_eq!((globals.url.as_deref(), globals.lock_wait), (Some("http://host"), Duration::from_secs(10)));
    refused("vectra collections list --lock-wait soon");
}

#[test]
fn bench_measures_several_parameters() {
    match parsed("vectra bench search --data d --ef 10,20 --threads 2 --json").command {
        Command::Bench(BenchCommand::Search(args)) => assert_eq!((args.ef, args.threads), (vec![10, 20], 2)),
        other => panic!("{other:?}"),
    }
    refused("vectra bench search --data d --ef 10,0");
}

#[test]
fn help_and_version_exit_0() {
    for line in ["vectra --help", "vectra -h", "vectra --version", "vectra collections backup --help", "vectra help collections"] {
        let error = parse(line).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion), "{line}");
        assert_eq!(error.exit_code(), 0, "{line}");
    }
}

#[test]
fn the_help_of_every_command_has_an_example_that_parses_and_its_exit_codes() {
    let mut root = Cli::command();
    root.build();
    let mut checked = 0;
    for path in every_command(&root, "vectra") {
        let error = parse(&format!("{path} --help")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{path}");
        let help = error.to_string();
        assert!(help.contains("Example") && help.contains("Exit codes"), "{path} --help has no example or no exit codes:\n{help}");
        for example in examples(&help) {
            parsed(&example);
            checked += 1;
        }
    }
    assert!(checked >= 40, "only {checked} examples were found");
}

fn every_command(command: &clap::Command, path: &str) -> Vec<String> {
    let mut paths = vec![path.to_owned()];
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        paths.extend(every_command(child, &format!("{path} {}", child.get_name())));
    }
    paths
}

/// The `vectra` commands of a help text, without what a shell does around them.
fn examples(help: &str) -> Vec<String> {
    let joined = help.split_once("Example").map_or("", |(_, examples)| examples).replace("\\\n", " ");
    let commands = joined.lines().filter_map(|line| {
        let line = line.trim();
        let start = if line.starts_with("vectra ") { 0 } else { line.find("| vectra ")? + 2 };
        let command = &line[start..];
        let end = [" | ", " > "].iter().filter_map(|mark| command.find(mark)).min().unwrap_or(command.len());
        Some(command[..end].to_owned())
    });
    commands.collect()
}

#[test]
fn the_reference_page_is_the_grammar() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = render_markdown(Cli::command());
    let fs = platform::fs::OsFileSystem::new();
    if platform::process::env("UPDATE_DOCS").is_some() {
        platform::fs::write_file_durably(&fs, &path, page.as_bytes()).unwrap();
    }
    let written = platform::fs::read_file(&fs, &path).unwrap_or_default();
    let written = String::from_utf8_lossy(&written);
    let differs = written.lines().zip(page.lines()).position(|(old, new)| old != new);
    assert!(written == page, "docs/cli.md differs from the grammar (first at line {differs:?}, counted from 0); UPDATE_DOCS=1 rewrites it");
}

#[test]
fn a_restore_to_a_time_needs_an_offset_and_one_target() {
    for line in ["vectra restore docs --source a --to-time -5m", "vectra restore --source a --to-time 2026-11-20T10:00:00+01:00"] {
        let args = match Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}")).command {
            Command::Restore(args) => args,
            other => panic!("{line} is {other:?}"),
        };
        assert!(args.to_time.is_some() && !args.latest);
    }
    refused("vectra restore docs --source a --to-time 2026-11-20T10:00:00");
    refused("vectra restore docs --source a --to-time now --latest");
    refused("vectra restore docs --source a --to-lsn 64 --snapshot-id monday");
    refused("vectra restore --source a --to-time now --new-collection-name x");
    refused("vectra restore docs --source a --exclusive");
    refused("vectra archive enable docs");
}
