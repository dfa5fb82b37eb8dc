//! The runbook: what this deployment is, how long a restore took, the exact commands for each case, and blanks for what only people know.

use super::observe::Standing;
use crate::drill::DrillReport;
use crate::drill::history::{Entry, History};
use crate::drill::tabletop::SCENARIOS;
use crate::time_text::format;

/// What the runbook is made from.
#[derive(Debug)]
pub struct Deployment<'a> {
    /// The data directory, as a user types it.
    pub data_dir: &'a str,
    /// When this is written.
    pub now: u64,
    /// Every archived name.
    pub archived: &'a [Standing],
    /// Collections that are not archived.
    pub unprotected: &'a [String],
    /// Second names, with what they mean.
    pub aliases: &'a [(String, String)],
    /// What a server does by itself.
    pub schedules: &'a [ByItself],
    /// What archives have to reach.
    pub goals: &'a [GoalsOf],
    /// What was exercised.
    pub history: &'a History,
}

/// What a server does by itself, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByItself {
    /// What the schedule is called.
    pub name: String,
    /// What it does: `backup`, `drill`.
    pub kind: &'static str,
    /// The collection.
    pub collection: String,
    /// Where backups go, or where a drill restores from.
    pub location: String,
    /// When, in words.
    pub when: String,
    /// When it last ended as it should.
    pub last_success: Option<u64>,
}

/// What the archive of a collection has to reach, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalsOf {
    /// The collection.
    pub collection: String,
    /// How much may be lost.
    pub rpo: Option<u64>,
    /// How long a restore may take.
    pub rto: Option<u64>,
    /// How far back every moment can be restored.
    pub window: Option<u64>,
}

/// Writes the runbook as Markdown.
#[must_use]
pub fn plan(deployment: &Deployment<'_>) -> String {
    let mut page = String::from("# Disaster recovery plan\n\n");
    page += &format!(
        "Written by `vectra dr plan` on {} from the configuration of that moment. Run it again when that changes;\n",
        format(deployment.now)
    );
    page += "what is filled in by hand stands in the last part: copy it over.\n";
    overview(&mut page, deployment);
    by_itself(&mut page, deployment);
    for standing in deployment.archived {
        cases(&mut page, deployment, standing);
    }
    exercises(&mut page, deployment);
    page += BLANKS;
    page
}

fn overview(page: &mut String, deployment: &Deployment<'_>) {
    *page += &format!("\n## What there is\n\nData directory: `{}`\n\n", code(deployment.data_dir));
    if deployment.archived.is_empty() {
        *page += "Nothing is archived: with this machine everything is lost. `vectra archive enable NAME --to URL` begins.\n";
    } else {
        *page +=
            "| collection | archive | bytes | restore takes | proven to come back | last drill |\n| --- | --- | --- | --- | --- | --- |\n";
    }
    for standing in deployment.archived {
        let takes = standing.restore.seconds.map_or("unknown: no drill was timed".to_owned(), |seconds| format!("{seconds:.0} s"));
        let proven = standing.verified.as_ref().map_or("never".to_owned(), |proof| format!("up to {}", format(proof.until)));
        let drill = last_drill(deployment.history, &standing.collection).map_or("none".to_owned(), |drill| drill.id.clone());
        let (name, archive, bytes) = (cell(&standing.collection), cell(&standing.archive), standing.restore.bytes);
        *page += &format!("| {name} | {archive} | {bytes} | {takes} | {proven} | {drill} |\n");
    }
    for name in deployment.unprotected {
        *page += &format!("\n**`{}` is not archived**: with this machine it is lost, backups apart.\n", code(name));
    }
    for (alias, name) in deployment.aliases {
        *page += &format!("\nAlias `{}` means `{}`.\n", code(alias), code(name));
    }
}

/// Writes what has to be reached, and what happens without anybody.
fn by_itself(page: &mut String, deployment: &Deployment<'_>) {
    let seconds = |goal: Option<u64>| goal.map_or("no goal".to_owned(), |micros| format!("{} s", micros / 1_000_000));
    if !deployment.goals.is_empty() {
        *page += "\n## Goals\n\n| collection | may be lost | a restore may take | every moment since |\n| --- | --- | --- | --- |\n";
    }
    for goals in deployment.goals {
        let (rpo, rto, window) = (seconds(goals.rpo), seconds(goals.rto), seconds(goals.window));
        *page += &format!("| {} | {rpo} | {rto} | {window} |\n", cell(&goals.collection));
    }
    *page += "\n## What runs by itself\n\n";
    if deployment.schedules.is_empty() {
        *page += "No backup and no drill is scheduled: `vectra schedules set` and `vectra drill schedule` do that for a server.\n";
        return;
    }
    *page += "While `vectra serve` runs; `vectra schedules list` says how the last runs ended.\n\n";
    *page += "| schedule | what | where | when | last success |\n| --- | --- | --- | --- | --- |\n";
    for schedule in deployment.schedules {
        let (name, collection, location) = (cell(&schedule.name), cell(&schedule.collection), cell(&schedule.location));
        let last = schedule.last_success.map_or("never".to_owned(), format);
        *page += &format!("| {name} | {} of {collection} | {location} | {} | {last} |\n", schedule.kind, cell(&schedule.when));
    }
}

/// Writes the commands for one collection.
fn cases(page: &mut String, deployment: &Deployment<'_>, standing: &Standing) {
    let (name, archive, data_dir) = (shell(&standing.collection), shell(&standing.archive), shell(deployment.data_dir));
    let before = shell(&format!("{}_before", standing.collection));
    let measured = last_drill(deployment.history, &standing.collection).and_then(|drill| drill.rto.as_ref().map(|rto| (drill, rto)));
    *page += &format!("\n## {}\n", cell(&standing.collection));
    if let Some((drill, rto)) = measured {
        let (first, total) = (rto.first_answer_s, rto.total_s);
        *page += &format!("\nMeasured by drill {}: first answer after {first:.1} s, durable after {total:.1} s.\n", drill.id);
    }
    case(
        page,
        "Dropped by mistake",
        "Within 24 hours nothing is copied; afterwards, or when it was purged, it comes from the archive.",
        &[
            format!("vectra collections undrop {name}"),
            format!("vectra archive log {archive} --collection {name} --from now-24h      # find the time before the drop"),
            format!("vectra restore {name} --source {archive} --to-time TIME --wait"),
        ],
    );
    case(
        page,
        "Wrong data was written",
        "Beside what is there, then switched.",
        &[
            format!("vectra archive log {archive} --collection {name} --from now-2h"),
            format!("vectra restore {name} --source {archive} --to-time TIME --new-collection-name {before} --wait"),
            format!("vectra-cli collections count {before}"),
            format!("vectra restore {name} --source {archive} --to-time TIME --replace --wait   # or: vectra aliases set ALIAS {before}"),
        ],
    );
    case(
        page,
        "The machine is lost: failover",
        "On another machine. `--exclusive` turns the old one away, should it come back: its next write to the archive exits 8.",
        &[
            format!("export VECTRA_DATA_DIR={data_dir}"),
            format!("vectra restore {name} --source {archive} --latest --dry-run              # what is there, and what is missing"),
            format!("vectra restore {name} --source {archive} --latest --exclusive"),
            format!("vectra-cli collections count {name}"),
            format!("vectra archive status {name}"),
        ],
    );
    case(
        page,
        "Failback",
        "When the first machine is to go on. Its own copy is not used: the history went on elsewhere.",
        &[
            "# on the machine that took over: stop the writers".to_owned(),
            "vectra archive run --once".to_owned(),
            "# on the first machine".to_owned(),
            format!("vectra restore {name} --source {archive} --latest --exclusive --replace"),
            format!("vectra-cli collections count {name}"),
        ],
    );
    where_it_is_kept(page, &name, &archive);
}

/// Writes the commands about the archive and the disk of one collection; both are quoted for a shell.
fn where_it_is_kept(page: &mut String, name: &str, archive: &str) {
    case(
        page,
        "The archive is damaged or gone",
        "The collection still answers: save it somewhere else first.",
        &[
            format!("vectra archive verify {archive}"),
            format!("vectra-cli collections backup {name} --destination OTHER_URL --wait"),
            format!("vectra archive disable {name}"),
            format!("vectra archive enable {name} --to NEW_URL"),
            format!("vectra drill run {name} --source NEW_URL"),
        ],
    );
    case(
        page,
        "Rot on the disk",
        "Puts right bytes from the archive in the place of rotten ones.",
        &[format!("vectra scrub {name} --source {archive}")],
    );
    case(
        page,
        "Whether all this works",
        "From cron; the history says when it last did.",
        &[format!("vectra drill run {name} --source {archive} --to-time random"), format!("vectra dr status {name} --rpo 60s --rto 15m")],
    );
}

/// Writes one case: what it is, what to know, what to type.
fn case(page: &mut String, title: &str, why: &str, lines: &[String]) {
    *page += &format!("\n### {title}\n\n{why}\n\n```sh\n{}\n```\n", lines.join("\n"));
}

fn exercises(page: &mut String, deployment: &Deployment<'_>) {
    *page += "\n## Exercises\n\n";
    let mut none = true;
    for entry in &deployment.history.entries {
        if let Entry::Tabletop(report) = entry {
            none = false;
            *page += &format!("- {}: {} ({})\n", format(report.started), cell(&report.scenario), cell(&report.participants.join(", ")));
        }
    }
    if none {
        *page += "None was recorded.\n";
    }
    let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    *page += &format!("\n`vectra drill tabletop --scenario NAME --participants A,B` holds one: {}.\n", names.join(", "));
}

/// What only people know.
const BLANKS: &str = "\n## To be filled in by hand\n
### Contacts\n
| role | name | telephone | when |\n| --- | --- | --- | --- |\n| on call | ____ | ____ | ____ |\n| decides a failover | ____ | ____ | ____ |
| storage provider | ____ | ____ | ____ |\n| network provider | ____ | ____ | ____ |\n
### Escalation\n
| after | whom | what is decided |\n| --- | --- | --- |\n| 15 minutes | ____ | ____ |\n| 1 hour | ____ | ____ |\n| 4 hours | ____ | ____ |\n
### Communication protocol\n
- Who tells the users, where, how often: ____\n- Who tells the management: ____\n- Who tells the authorities, by when: ____\n- Where everybody meets: ____\n
### Responsibilities\n
| task | who | deputy |\n| --- | --- | --- |\n| stops the writers | ____ | ____ |\n| restores | ____ | ____ |\n| checks the answers | ____ | ____ |
| leads the clients over | ____ | ____ |\n| writes the report | ____ | ____ |\n
### Secrets\n
- Where the credentials of the archive are kept, apart from the data machine: ____\n- Where the key of an encrypted archive is kept: ____
";

fn last_drill<'a>(history: &'a History, name: &str) -> Option<&'a DrillReport> {
    history.drills().find(|drill| drill.collection == name && drill.restored.is_some())
}

/// Keeps a text inside of its cell.
fn cell(text: &str) -> String {
    crate::drill::plain(text)
}

/// Keeps a text inside of backquotes.
fn code(text: &str) -> String {
    text.replace('`', "'").replace('\n', " ")
}

/// Quotes a word for a shell, where that is needed.
fn shell(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '@' | '%' | '+' | '=');
    if !text.is_empty() && text.chars().all(harmless) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::super::observe::Prediction;
    use super::*;

    fn standing(name: &str, archive: &str) -> Standing {
        let restore = Prediction { bytes: 5, ..Prediction::default() };
        Standing { collection: name.to_owned(), archive: archive.to_owned(), exists: true, lag: None, verified: None, restore }
    }

    #[test]
    fn the_plan_names_every_collection_its_commands_and_what_people_have_to_fill_in() {
        let archived = [standing("products", "s3://bucket/vectra"), standing("a b", "/mnt/it's here")];
        let deployment = Deployment {
            data_dir: "/var/lib/vectra",
            now: 1_698_400_800_000_000,
            archived: &archived,
            unprotected: &["scratch".to_owned()],
            aliases: &[("live".to_owned(), "products".to_owned())],
            schedules: &[ByItself {
                name: "nightly".to_owned(),
                kind: "backup",
                collection: "products".to_owned(),
                location: "/backups|x".to_owned(),
                when: "every 1d".to_owned(),
                last_success: None,
            }],
            goals: &[GoalsOf { collection: "products".to_owned(), rpo: Some(60_000_000), rto: None, window: Some(604_800_000_000) }],
            history: &History::default(),
        };
        let page = plan(&deployment);
        let wanted = [
            "vectra restore products --source s3://bucket/vectra --latest --exclusive\n",
            "vectra restore products --source s3://bucket/vectra --latest --exclusive --replace\n",
            "vectra collections undrop 'a b'\n",
            "--source '/mnt/it'\\''s here' --latest",
            "export VECTRA_DATA_DIR=/var/lib/vectra\n",
            "**`scratch` is not archived**",
            "Alias `live` means `products`.",
            "unknown: no drill was timed",
            "| products | 60 s | no goal | 604800 s |\n",
            "| nightly | backup of products | /backups",
            "| every 1d | never |\n",
            "### Contacts",
            "### Escalation",
            "### Communication protocol",
            "### Responsibilities",
        ];
        for wanted in wanted {
            assert!(page.contains(wanted), "{wanted}\n{page}");
        }
        assert!(!page.contains("{name}"));
    }

    #[test]
    fn a_deployment_without_an_archive_is_told_so() {
        let history = &History::default();
        let (data_dir, archived, unprotected) = ("/d", &[], &[]);
        let deployment = Deployment { data_dir, now: 0, archived, unprotected, aliases: &[], schedules: &[], goals: &[], history };
        let page = plan(&deployment);
        assert!(page.contains("Nothing is archived") && page.contains("No backup and no drill is scheduled"), "{page}");
    }
}
