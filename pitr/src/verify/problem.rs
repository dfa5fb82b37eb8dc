//! What a check found wrong, for which backup, and what that means as a whole.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::{Error, ErrorKind, Result};

use crate::archive::{ArchiveId, ObjectName};
use crate::backup::format::SnapshotFile;
use crate::backup::held::is_about_content;

/// Something wrong with a backup.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The backup.
    pub snapshot_id: String,
    /// What is wrong.
    pub error: Error,
}

/// What a check found wrong.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
    objects: BTreeMap<(ArchiveId, ObjectName), Error>,
}

impl Problems {
    pub fn add(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Adds an error on what lies there to each backup that needs it; gives back an error of reaching it.
    pub fn add_or_fail<'a>(&mut self, needed_by: impl IntoIterator<Item = &'a str>, error: Error) -> Result<()> {
        if !is_about_content(error.kind) {
            return Err(error);
        }
        for id in needed_by {
            self.add(Problem { snapshot_id: id.to_owned(), error: error.clone() });
        }
        Ok(())
    }

    /// Notes that an object is damaged; the backups that need it are found later.
    pub fn note_object(&mut self, archive: ArchiveId, name: ObjectName, error: Error) {
        self.objects.insert((archive, name), error);
    }

    /// Gives the damaged objects to a backup that needs them.
    pub fn assign_objects(&mut self, file: &SnapshotFile) {
        for object in &file.objects {
            if let Some(error) = self.objects.get(&(file.home_of(object), object.name)).cloned() {
                self.add(Problem { snapshot_id: file.snapshot_id.clone(), error });
            }
        }
    }

    pub fn of(&self, snapshot_id: &str) -> impl Iterator<Item = &Problem> {
        self.found.iter().filter(move |problem| problem.snapshot_id == snapshot_id)
    }

    /// Sums everything up: damage counts more than what is missing, and that more than what is too new. `complete` is the newest backup without a problem.
    pub fn summary(&self, complete: Option<&str>) -> Option<Error> {
        let first = |kind: ErrorKind| self.found.iter().find(|problem| problem.error.kind == kind);
        let worst = first(ErrorKind::Corrupt).or_else(|| first(ErrorKind::Incomplete)).or_else(|| self.found.first())?;
        let distinct: BTreeSet<_> =
            self.found.iter().filter(|p| p.error.kind == worst.error.kind).map(|p| p.error.object.clone()).collect();
        let mut error = worst.error.clone();
        if error.kind == ErrorKind::Incomplete || error.kind == ErrorKind::NotFound {
            error.kind = ErrorKind::Incomplete;
            error.message = format!(
                "backup \"{}\" is not whole: {} objects are missing or cut off, first: {}",
                worst.snapshot_id,
                distinct.len(),
                error.message
            );
        } else if distinct.len() > 1 {
            error.message = format!("{} ({} objects are damaged, this is the first)", error.message, distinct.len());
        }
        let newest = match complete {
            Some(id) => format!("the newest complete backup here is \"{id}\""),
            None => "no backup here is complete".to_owned(),
        };
        let own = error.hint.take().map_or_else(String::new, |hint| format!("{hint}; "));
        Some(error.with_hint(format!("{own}{newest}")))
    }
}
