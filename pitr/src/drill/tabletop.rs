//! Exercises at a table: people go through a scenario, with the commands of their own deployment, and the history says who took part.

use serde::{Deserialize, Serialize};

use super::markdown::plain;
use super::report::REPORT_VERSION;
use crate::time_text;

/// A collection of the deployment, as the commands name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Where it is archived.
    pub archive: String,
}

impl Default for Subject {
    /// Stands in where nothing is archived yet.
    fn default() -> Self {
        Subject { name: "NAME".to_owned(), archive: "URL".to_owned() }
    }
}

/// Something that could happen.
#[derive(Debug)]
pub struct Scenario {
    /// The word by which it is chosen.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What the table is told.
    pub story: &'static str,
    /// What is to be done, with `{name}` and `{archive}` where the deployment's own stand.
    steps: &'static [&'static str],
    /// What the table should be able to answer.
    pub questions: &'static [&'static str],
}

/// The scenarios that come with the program.
pub const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "dropped",
        title: "a collection was dropped by mistake",
        story: "At 14:05 somebody reports that searches fail. A script of a colleague dropped the collection at 14:02, and writers have begun to fail.",
        steps: &[
            "stop the writers, and say who decides from now on",
            "vectra collections undrop {name}",
            "where its space was given back: vectra archive log {archive} --collection {name} --from now-1h",
            "vectra restore {name} --source {archive} --to-time TIME_BEFORE_THE_DROP --dry-run",
            "vectra restore {name} --source {archive} --to-time TIME_BEFORE_THE_DROP --wait",
            "vectra-cli collections count {name}",
            "let the writers in again, and tell those who were told",
        ],
        questions: &["Who may drop a collection?", "How is the time before the drop found?", "Who tells the users, and when?"],
    },
    Scenario {
        name: "wrong-data",
        title: "wrong data was written for an hour",
        story: "A new version of the embedding job wrote vectors of another model since 09:00. Nobody noticed before 10:10; right writes are among the wrong ones.",
        steps: &[
            "stop the job that writes",
            "vectra archive log {archive} --collection {name} --from now-2h",
            "vectra restore {name} --source {archive} --to-time TIME_BEFORE_IT --new-collection-name {name}_before --wait",
            "compare answers of {name} and {name}_before",
            "vectra aliases set live {name}_before",
            "write again what was right and came later",
        ],
        questions: &[
            "Who knows which writes were right?",
            "Can the job be run again from a given time?",
            "Which alias do the clients use?",
        ],
    },
    Scenario {
        name: "region-lost",
        title: "the machine and its region are gone",
        story: "At 03:20 the data centre does not answer. The provider says hours, not minutes. The archive lies in another region.",
        steps: &[
            "decide that this is a failover, and write down when",
            "vectra restore {name} --source {archive} --latest --dry-run",
            "on another machine: export VECTRA_DATA_DIR=/var/lib/vectra",
            "vectra restore {name} --source {archive} --latest --exclusive",
            "write down the gap that it prints: the newest known write and what is missing",
            "vectra-cli collections count {name}",
            "lead the clients to the new machine",
            "when the old machine is back: it must not write; its next write to the archive ends with exit code 8",
        ],
        questions: &[
            "Who may decide a failover?",
            "Where is the key of the archive, if it is encrypted?",
            "How do clients find the new machine?",
        ],
    },
    Scenario {
        name: "ransomware",
        title: "data and credentials are in other hands",
        story: "Files on the data machine are being encrypted by somebody else, and the credentials for the archive were on that machine.",
        steps: &[
            "cut the machine off from the network; do not switch it off",
            "revoke its credentials for {archive}, and look what was deleted there since",
            "from a clean machine, with other credentials: vectra archive verify {archive}",
            "vectra archive log {archive} --collection {name} --from now-48h",
            "vectra restore {name} --source {archive} --to-time TIME_BEFORE_IT --wait",
            "where the archive itself is gone: vectra-cli collections restore {name} --source URL_OF_THE_BACKUPS --wait",
            "vectra archive rekey {archive} --key-file OLD --new-key-file NEW",
        ],
        questions: &[
            "Which copy cannot be deleted with the credentials of the data machine?",
            "Who holds the key, apart from that machine?",
            "Whom does the law want told, and by when?",
        ],
    },
    Scenario {
        name: "archive-deleted",
        title: "the bucket of the archive was deleted",
        story: "A clean-up job removed the bucket. The collections still answer; nothing of today is in a second place.",
        steps: &[
            "find out whether the provider can bring the bucket back, and stop the job",
            "vectra-cli collections backup {name} --destination OTHER_URL --wait",
            "vectra archive disable {name}",
            "vectra archive enable {name} --to NEW_URL",
            "vectra archive verify NEW_URL",
            "vectra drill run {name} --source NEW_URL",
            "write down which past can no longer be restored",
        ],
        questions: &[
            "Are versions or locks of the bucket on?",
            "Who noticed, and how fast would an alert have?",
            "Where do the backups lie, and under whose credentials?",
        ],
    },
    Scenario {
        name: "split-brain",
        title: "two machines write the same collection",
        story: "The network was cut for ten minutes. Somebody took over on a second machine; the first one was alive and went on taking writes.",
        steps: &[
            "stop the writers of both",
            "vectra archive status {name}, on both machines: the one that was taken over exits 8",
            "the machine that took over keeps the history; vectra archive log {archive} --collection {name} --from now-1h",
            "on the other machine: vectra export {name} --jsonl what_it_had.jsonl",
            "decide which of its writes are wanted, and write them again where the history goes on",
            "the other machine begins anew: vectra restore {name} --source {archive} --latest --replace",
        ],
        questions: &[
            "Who may take over, and what must be known first?",
            "How are writes of the cut-off machine found?",
            "What would the clients have seen?",
        ],
    },
];

/// Finds a scenario by its word.
#[must_use]
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

impl Scenario {
    /// Gives the steps with the deployment's own names.
    #[must_use]
    pub fn steps_for(&self, subject: &Subject) -> Vec<String> {
        self.steps.iter().map(|step| step.replace("{name}", &subject.name).replace("{archive}", &subject.archive)).collect()
    }

    /// Makes the report of an exercise.
    #[must_use]
    pub fn report(&self, id: String, started: u64, subject: &Subject, participants: Vec<String>, notes: Option<String>) -> TabletopReport {
        TabletopReport {
            format: REPORT_VERSION,
            kind: "tabletop".to_owned(),
            id,
            started,
            scenario: self.name.to_owned(),
            title: self.title.to_owned(),
            story: self.story.to_owned(),
            steps: self.steps_for(subject),
            questions: self.questions.iter().map(|question| (*question).to_owned()).collect(),
            participants,
            notes,
        }
    }
}

/// An exercise that people took part in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabletopReport {
    /// Version of the report.
    pub format: u32,
    /// `tabletop`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// When it was held.
    #[serde(serialize_with = "time_text::serialize", deserialize_with = "time_text::deserialize")]
    pub started: u64,
    /// The scenario's word.
    pub scenario: String,
    /// What it is.
    pub title: String,
    /// What the table was told.
    pub story: String,
    /// What is to be done.
    pub steps: Vec<String>,
    /// What the table should be able to answer.
    pub questions: Vec<String>,
    /// Who took part.
    pub participants: Vec<String>,
    /// What they wrote down.
    pub notes: Option<String>,
}

impl TabletopReport {
    /// Renders it as a page of Markdown, with room to write.
    #[must_use]
    pub fn as_markdown(&self) -> String {
        let mut page = format!("# Exercise: {}\n\n", plain(&self.title));
        page += &format!("- exercise: {}\n- held: {}\n- scenario: {}\n", self.id, time_text::format(self.started), plain(&self.scenario));
        let who = if self.participants.is_empty() { "nobody was named".to_owned() } else { self.participants.join(", ") };
        page += &format!("- took part: {}\n\n{}\n\n## Steps\n\n", plain(&who), plain(&self.story));
        for (number, step) in self.steps.iter().enumerate() {
            page += &format!("{}. {}\n", number + 1, plain(step));
        }
        page += "\n## Questions\n\n";
        self.questions.iter().for_each(|question| page += &format!("- {}\n", plain(question)));
        page += &format!("\n## Notes\n\n{}\n", self.notes.as_deref().map_or("none".to_owned(), plain));
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_names_the_deployment_in_its_steps_and_has_a_word_of_its_own() {
        let subject = Subject { name: "products".to_owned(), archive: "s3://bucket/x".to_owned() };
        for (number, chosen) in SCENARIOS.iter().enumerate() {
            let steps = chosen.steps_for(&subject).join("\n");
            assert!(steps.contains("products") && steps.contains("s3://bucket/x") || chosen.name == "archive-deleted", "{}", chosen.name);
            assert!(!steps.contains('{') && !steps.contains('}'), "{steps}");
            assert_eq!(SCENARIOS.iter().position(|other| other.name == chosen.name), Some(number));
            assert!(!chosen.questions.is_empty() && scenario(chosen.name).is_some());
        }
        assert!(scenario("flood").is_none());
    }

    #[test]
    fn the_page_says_who_took_part_and_holds_no_markup_of_theirs() {
        let people = vec!["Ada".to_owned(), "<b>Bob</b>".to_owned()];
        let report = SCENARIOS[0].report("x".to_owned(), 0, &Subject::default(), people, Some("a | b".to_owned()));
        let page = report.as_markdown();
        assert!(page.contains("took part: Ada, \\<b>Bob\\</b>") && page.contains("a \\| b"), "{page}");
    }
}
