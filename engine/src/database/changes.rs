//! Changes of the catalog: create, drop, bring back, purge, rename by alias, and taking in what was restored.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Database, collections_dir, dropped_dir};
use crate::catalog::{CatalogEntry, Dropped, Origin};
use crate::collection::open;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Incarnation;
use crate::manifest::store::{self, CollectionDir};
use crate::schema::{Schema, check_name};

/// How long a dropped collection can be brought back, in microseconds: 24 hours.
pub const DROP_GRACE_MICROS: u64 = 24 * 3600 * 1_000_000;

impl Database {
    /// Creates an empty collection.
    ///
    /// # Errors
    /// `Exists`, `InvalidInput`, `Io`, `NoSpace`; nothing is left behind then.
    pub fn create_collection(&self, name: &str, schema: &Schema) -> Result<Incarnation> {
        let _changing = self.changing.lock();
        self.writable()?;
        self.check_free(name)?;
        schema.check()?;
        let incarnation = Incarnation::draw(&*self.world.random);
        let root = self.collection_dir(incarnation);
        let laid_out = open::create(&self.world, &CollectionDir::new(root.clone()), incarnation, schema, &self.clock);
        let entry = CatalogEntry::Create { name: name.to_owned(), incarnation, origin: Origin::Created };
        self.commit_or_remove(laid_out, &root, &entry)?;
        Ok(incarnation)
    }

    /// Makes a collection that an [`crate::install::Installer`] put together exist; with `replace`, the old life of the name is dropped in the same step.
    ///
    /// # Errors
    /// `Exists` without `replace`, `InvalidInput`, `Io`, `NoSpace`; the new life is removed again then.
    pub fn adopt(&self, name: &str, incarnation: Incarnation, origin: Origin, replace: bool) -> Result<()> {
        let _changing = self.changing.lock();
        let root = self.collection_dir(incarnation);
        let exists = self.state().collections.contains_key(name);
        let allowed = if replace && exists { check_name(name) } else { self.check_free(name) };
        let name = name.to_owned();
        let entry = if replace && exists {
            CatalogEntry::Replace { name, incarnation, origin }
        } else {
            CatalogEntry::Create { name, incarnation, origin }
        };
        self.commit_or_remove(allowed, &root, &entry)?;
        self.settle()
    }

    fn commit_or_remove(&self, prepared: Result<()>, root: &Path, entry: &CatalogEntry) -> Result<()> {
        let result = prepared.and_then(|()| self.commit(entry));
        if result.is_err() {
            // Nobody ever saw this life; what cannot be removed now is cleared away at the next open.
            let _ = self.world.fs.remove_dir_all(root);
        }
        result
    }

    pub(super) fn commit(&self, entry: &CatalogEntry) -> Result<()> {
        let catalog = self.writable()?;
        let _changing = self.changing.lock();
        let commit = || catalog.lock().commit(entry, &self.clock).map(|_| ());
        let done = self.tell_before_end(entry).and_then(|()| match (&self.reserve, entry) {
            (Some(reserve), CatalogEntry::Drop { .. } | CatalogEntry::Purge { .. }) => reserve.with(commit),
            _ => commit(),
        });
        if let Some(listener) = &self.listener {
            listener.after_change(self.state());
        }
        done
    }

    /// Tells who wants to know that an entry ends a life.
    fn tell_before_end(&self, entry: &CatalogEntry) -> Result<()> {
        let (Some(listener), CatalogEntry::Replace { name, .. } | CatalogEntry::Drop { name }) = (&self.listener, entry) else {
            return Ok(());
        };
        let ends = self.state().collections.get(name).map(|life| life.incarnation);
        ends.map_or(Ok(()), |incarnation| listener.before_end(incarnation))
    }

    /// Drops a collection. It can be brought back until the grace is over, unless it was restored under a new name and never written to: then
    /// its space is given back at once. Says whether it can be brought back.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `NoSpace`.
    pub fn drop_collection(&self, name: &str, purge: bool) -> Result<bool> {
        let _changing = self.changing.lock();
        let state = self.state();
        let Some(life) = state.collections.get(name) else {
            let alias =
                state.aliases.get(name).map(|target| format!("\"{name}\" is an alias of \"{target}\"; drop that, or delete the alias"));
            let error = state
                .resolve(name)
                .err()
                .unwrap_or_else(|| Error::not_found(format!("collection \"{name}\" does not exist")).with_object(name));
            return Err(alias.map_or(error.clone(), |hint| error.with_hint(hint)));
        };
        let incarnation = life.incarnation;
        let at_once = purge || self.is_untouched_copy(name, &life.origin, incarnation)?;
        self.commit(&CatalogEntry::Drop { name: name.to_owned() })?;
        if at_once {
            self.commit(&CatalogEntry::Purge { incarnation })?;
        }
        self.settle()?;
        Ok(!at_once)
    }

    /// Says whether a life was restored under a new name and never written to: its timeline has no log file then.
    fn is_untouched_copy(&self, name: &str, origin: &Origin, incarnation: Incarnation) -> Result<bool> {
        let Origin::Restored { name: original, .. } = origin else { return Ok(false) };
        if original == name {
            return Ok(false);
        }
        let dir = CollectionDir::new(self.collection_dir(incarnation));
        let Ok(manifest) = store::newest(&*self.world.fs, &dir) else { return Ok(false) };
        let names = crate::log::file::list(&*self.world.fs, &dir.log())?;
        Ok(names.iter().all(|file| file.timeline != manifest.timeline()))
    }

    /// Brings the newest dropped life of a name back.
    ///
    /// # Errors
    /// `NotFound` when nothing of this name was dropped or its grace is over, `Exists` when the name is taken.
    pub fn undrop(&self, name: &str) -> Result<()> {
        let _changing = self.changing.lock();
        let state = self.state();
        let Some(Dropped { life, .. }) = state.dropped.iter().rev().find(|dropped| dropped.name == name) else {
            return Err(Error::not_found(format!("no dropped collection \"{}\" can be brought back", name.escape_debug()))
                .with_object(name)
                .with_hint("its grace of 24 hours is over, or it was purged; restore it from a backup"));
        };
        self.check_free(name)?;
        let incarnation = life.incarnation;
        self.note_incomplete(incarnation)?;
        self.commit(&CatalogEntry::Undrop { name: name.to_owned(), incarnation })?;
        self.settle()
    }

    /// Gives the space of every dropped collection back; gives how many there were.
    ///
    /// # Errors
    /// `Io`, `NoSpace`.
    pub fn purge(&self) -> Result<usize> {
        let _changing = self.changing.lock();
        let dropped = self.state().dropped;
        for life in &dropped {
            self.commit(&CatalogEntry::Purge { incarnation: life.life.incarnation })?;
        }
        self.settle()?;
        Ok(dropped.len())
    }

    /// Makes an alias mean a collection; an alias of that name means the new one from now on.
    ///
    /// # Errors
    /// `NotFound` when the collection does not exist, `Exists` when a collection has the alias's name, `InvalidInput` on a bad name.
    pub fn set_alias(&self, alias: &str, name: &str) -> Result<()> {
        let _changing = self.changing.lock();
        check_name(alias)?;
        let state = self.state();
        if state.collections.contains_key(alias) {
            return Err(
                Error::new(ErrorKind::Exists, format!("a collection \"{alias}\" exists; an alias needs a free name")).with_object(alias)
            );
        }
        let (name, _) = state.resolve(name)?;
        self.commit(&CatalogEntry::SetAlias { alias: alias.to_owned(), name: name.to_owned() })
    }

    /// Deletes an alias.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn delete_alias(&self, alias: &str) -> Result<()> {
        let _changing = self.changing.lock();
        if !self.state().aliases.contains_key(alias) {
            return Err(Error::not_found(format!("alias \"{}\" does not exist", alias.escape_debug())).with_object(alias));
        }
        self.commit(&CatalogEntry::DeleteAlias { alias: alias.to_owned() })
    }

    /// Makes the directories follow the catalog: dropped lives move aside, those brought back return, purged, expired and unknown ones go.
    ///
    /// Only the catalog decides; a crash before or after any of these moves changes nothing but where bytes lie.
    pub(super) fn settle(&self) -> Result<()> {
        let fs = &*self.world.fs;
        let _changing = self.changing.lock();
        self.purge_expired()?;
        let state = self.state();
        let living: BTreeSet<String> = state.collections.values().map(|life| life.incarnation.to_string()).collect();
        let dropped: BTreeSet<String> = state.dropped.iter().map(|d| d.life.incarnation.to_string()).collect();
        let (here, aside) = (collections_dir(&self.dir), dropped_dir(&self.dir));
        let mut moved = false;
        for (from, to, keep, other) in [(&here, &aside, &living, &dropped), (&aside, &here, &dropped, &living)] {
            let entries = fs.list(from)?;
            // Later than the list: what is in it and arrives was begun before.
            let arriving = self.arrivals.names();
            for entry in entries {
                if keep.contains(&entry.name) || arriving.contains(&entry.name) {
                    continue;
                }
                if other.contains(&entry.name) {
                    fs.rename(&from.join(&entry.name), &to.join(&entry.name))?;
                } else if Incarnation::parse(&entry.name).is_ok() {
                    fs.remove_dir_all(&from.join(&entry.name))?;
                }
                moved = true;
            }
        }
        if moved {
            fs.sync_dir(&here)?;
            fs.sync_dir(&aside)?;
        }
        Ok(())
    }

    fn purge_expired(&self) -> Result<()> {
        let now = self.clock.wall_now();
        let state = self.state();
        for dropped in state.dropped.iter().filter(|d| d.dropped + DROP_GRACE_MICROS < now) {
            if state.archives.contains_key(&dropped.name) && !self.is_archived(dropped.life.incarnation) {
                continue;
            }
            self.commit(&CatalogEntry::Purge { incarnation: dropped.life.incarnation })?;
        }
        Ok(())
    }
}
