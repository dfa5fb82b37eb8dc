//! Changes of aliases: several at once, worked out first, then written as the fewest changes of the catalog.

use std::collections::BTreeMap;

use engine::{Database, Error, ErrorKind, Result};

/// One change of the aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasChange {
    /// An alias means a collection from now on.
    Set {
        /// The alias.
        alias: String,
        /// The collection.
        collection: String,
    },
    /// An alias goes; one that does not exist is gone already.
    Delete {
        /// The alias.
        alias: String,
    },
    /// An alias gets another name.
    Rename {
        /// Its name so far.
        from: String,
        /// Its name from now on.
        to: String,
    },
}

/// Works out what the aliases will be, checks it, and writes what differs: an alias that moves does so in one step.
pub(super) fn carry_out(database: &Database, changes: &[AliasChange]) -> Result<()> {
    let state = database.state();
    let mut next = state.aliases.clone();
    for change in changes {
        apply(&mut next, change, &|name| state.collections.contains_key(name))?;
    }
    for alias in next.keys().filter(|alias| !state.aliases.contains_key(*alias)) {
        database.check_free(alias)?;
    }
    for (alias, collection) in &next {
        if state.aliases.get(alias) != Some(collection) {
            database.set_alias(alias, collection)?;
        }
    }
    for alias in state.aliases.keys().filter(|alias| !next.contains_key(*alias)) {
        database.delete_alias(alias)?;
    }
    assert_eq!(database.state().aliases, next, "the catalog says what was worked out");
    Ok(())
}

fn apply(aliases: &mut BTreeMap<String, String>, change: &AliasChange, exists: &dyn Fn(&str) -> bool) -> Result<()> {
    match change {
        AliasChange::Set { alias, collection } => {
            if !exists(collection) {
                return Err(Error::not_found(format!("collection \"{collection}\" does not exist")).with_object(collection.as_str()));
            }
            if exists(alias) {
                return Err(Error::new(ErrorKind::Exists, format!("collection \"{alias}\" exists already")).with_object(alias.as_str()));
            }
            aliases.insert(alias.clone(), collection.clone());
        }
        AliasChange::Delete { alias } => {
            aliases.remove(alias);
        }
        AliasChange::Rename { from, to } => {
            let target = aliases.remove(from);
            let target = target.ok_or_else(|| Error::not_found(format!("alias \"{from}\" does not exist")).with_object(from.as_str()))?;
            if exists(to) {
                return Err(Error::new(ErrorKind::Exists, format!("collection \"{to}\" exists already")).with_object(to.as_str()));
            }
            aliases.insert(to.clone(), target);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(alias: &str, collection: &str) -> AliasChange {
        AliasChange::Set { alias: alias.to_owned(), collection: collection.to_owned() }
    }

    fn after(changes: &[AliasChange]) -> Result<BTreeMap<String, String>> {
        let mut aliases = BTreeMap::from([("live".to_owned(), "old".to_owned())]);
        changes.iter().try_for_each(|change| apply(&mut aliases, change, &|name| ["old", "new"].contains(&name)))?;
        Ok(aliases)
    }

    #[test]
    fn an_alias_that_is_deleted_and_created_moves() {
        let moved = after(&[AliasChange::Delete { alias: "live".to_owned() }, set("live", "new")]).unwrap();
        assert_eq!(moved, BTreeMap::from([("live".to_owned(), "new".to_owned())]));
    }

    #[test]
    fn an_alias_keeps_its_collection_under_another_name() {
        let renamed = after(&[AliasChange::Rename { from: "live".to_owned(), to: "products".to_owned() }]).unwrap();
        assert_eq!(renamed, BTreeMap::from([("products".to_owned(), "old".to_owned())]));
    }

    #[test]
    fn an_alias_of_nothing_and_an_alias_over_a_collection_are_refused() {
        assert_eq!(after(&[set("x", "missing")]).unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(after(&[set("new", "old")]).unwrap_err().kind, ErrorKind::Exists);
        let rename = AliasChange::Rename { from: "missing".to_owned(), to: "y".to_owned() };
        assert_eq!(after(&[rename]).unwrap_err().kind, ErrorKind::NotFound);
    }
}
