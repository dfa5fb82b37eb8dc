//! Who held a name from when until when: a pure function of a catalog's entries.

use std::collections::BTreeSet;

use engine::catalog::CatalogEntry;
use engine::ids::{CommitTime, Incarnation};

/// A stretch of time in which a life held a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The name.
    pub name: String,
    /// The life.
    pub incarnation: Incarnation,
    /// When it got the name.
    pub from: CommitTime,
    /// When it lost it; `None`: it holds it.
    pub until: Option<CommitTime>,
}

impl Tenure {
    /// Says whether the life held the name at a time.
    #[must_use]
    pub fn holds_at(&self, at: CommitTime) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Lists the tenures that a catalog's entries tell of, in the order in which they began.
#[must_use]
pub fn tenures(entries: &[(CommitTime, CatalogEntry)]) -> Vec<Tenure> {
    let mut all: Vec<Tenure> = Vec::new();
    for (at, entry) in entries {
        match entry {
            CatalogEntry::Create { name, incarnation, .. }
            | CatalogEntry::Replace { name, incarnation, .. }
            | CatalogEntry::Undrop { name, incarnation } => {
                end(&mut all, name, *at);
                all.push(Tenure { name: name.clone(), incarnation: *incarnation, from: *at, until: None });
            }
            CatalogEntry::Drop { name } => end(&mut all, name, *at),
            CatalogEntry::Purge { .. }
            | CatalogEntry::SetAlias { .. }
            | CatalogEntry::DeleteAlias { .. }
            | CatalogEntry::SetArchive { .. } => {}
        }
    }
    all
}

fn end(all: &mut [Tenure], name: &str, at: CommitTime) {
    if let Some(open) = all.iter_mut().rev().find(|tenure| tenure.name == name && tenure.until.is_none()) {
        open.until = Some(at);
    }
}

/// A life that backups tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The name it had.
    pub name: String,
    /// The life.
    pub incarnation: Incarnation,
    /// When it began, as far as that is known; 0 otherwise.
    pub created: CommitTime,
}

/// Adds the lives that backups tell of and the catalog, as far as it is there, does not: each holds its name until the next one of that name began.
pub fn add_backed_up(all: &mut Vec<Tenure>, lives: &[BackedUp]) {
    let known: BTreeSet<Incarnation> = all.iter().map(|tenure| tenure.incarnation).collect();
    let mut new: Vec<&BackedUp> = lives.iter().filter(|life| !known.contains(&life.incarnation)).collect();
    new.sort_by_key(|life| (life.created, life.incarnation));
    new.dedup_by_key(|life| life.incarnation);
    for life in new {
        let next = all.iter().filter(|tenure| tenure.name == life.name && tenure.from > life.created).map(|tenure| tenure.from).min();
        if next.is_none() {
            end(all, &life.name, life.created);
        }
        all.push(Tenure { name: life.name.clone(), incarnation: life.incarnation, from: life.created, until: next });
    }
    all.sort_by_key(|tenure| tenure.from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::catalog::Origin;

    fn life(id: u8) -> Incarnation {
        Incarnation([id; 16])
    }

    fn create(id: u8) -> CatalogEntry {
        CatalogEntry::Create { name: "c".to_owned(), incarnation: life(id), origin: Origin::Created }
    }

    fn shown(all: &[Tenure]) -> Vec<(u8, u64, Option<u64>)> {
        all.iter().map(|t| (t.incarnation.0[0], t.from, t.until)).collect()
    }

    #[test]
    fn a_name_passes_from_life_to_life() {
        let drop = CatalogEntry::Drop { name: "c".to_owned() };
        let replace = CatalogEntry::Replace { name: "c".to_owned(), incarnation: life(2), origin: Origin::Created };
        let undrop = CatalogEntry::Undrop { name: "c".to_owned(), incarnation: life(1) };
        let purge = CatalogEntry::Purge { incarnation: life(2) };
        let entries = [(10, create(1)), (20, replace), (30, drop.clone()), (40, undrop), (50, purge), (60, drop), (70, create(3))];
        let all = tenures(&entries);
        assert_eq!(shown(&all), [(1, 10, Some(20)), (2, 20, Some(30)), (1, 40, Some(60)), (3, 70, None)]);
        assert!(all[0].holds_at(19) && !all[0].holds_at(20) && all[1].holds_at(20) && all[3].holds_at(u64::MAX));
    }

    #[test]
    fn what_only_backups_tell_of_is_put_in_between() {
        let mut all = tenures(&[(10, create(1))]);
        let backed_up = |id, created| BackedUp { name: "c".to_owned(), incarnation: life(id), created };
        add_backed_up(&mut all, &[backed_up(3, 50), backed_up(1, 10), backed_up(2, 20), backed_up(3, 50)]);
        assert_eq!(shown(&all), [(1, 10, Some(20)), (2, 20, Some(50)), (3, 50, None)]);
    }
}
