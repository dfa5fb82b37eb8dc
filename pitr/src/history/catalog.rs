//! The catalog of a database as an archive holds it: its entries, and what it said at a time.

use bytes::{Bytes, BytesMut};
use engine::catalog::{CatalogEntry, CatalogState};
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{CommitTime, Lsn, Timeline};
use engine::log::record::{Record, RecordKind};

use crate::archive::extent_stream::stream_extent;
use crate::archive::{Archive, Key, Listing};
use crate::archiver::ClosedFile;
use crate::backup::held::is_about_content;

/// The archived catalog of a database.
#[derive(Debug, Clone)]
pub struct ArchivedCatalog {
    /// The database.
    pub database: Timeline,
    /// Its entries with their commit times, in order.
    pub entries: Vec<(CommitTime, CatalogEntry)>,
    /// Whether another database took over: nothing follows.
    pub sealed: bool,
    /// The newest time that the database closed; 0 when it closed none.
    pub closed: CommitTime,
}

impl ArchivedCatalog {
    /// Reads the catalog of a database.
    ///
    /// # Errors
    /// `Incomplete` when a part is missing, `Corrupt` when one is damaged, `NewerFormat`, those of the store.
    pub fn read(archive: &Archive, listing: &Listing, database: Timeline) -> Result<Self> {
        let low = listing.low.get(&database).copied().unwrap_or(0);
        let seal = listing.seals.get(&database).and_then(|seals| seals.range(low..).next().copied());
        let mut catalog = ArchivedCatalog { database, entries: Vec::new(), sealed: seal.is_some(), closed: closed(listing, database) };
        let mut at = 0;
        while at < seal.unwrap_or(Lsn::MAX) {
            let Some(extent) = listing.extent_at(database, at) else { break };
            let mut bytes = BytesMut::new();
            stream_extent(archive, database, extent, &mut |position, piece| {
                let skip = at.saturating_sub(position).min(piece.len() as u64) as usize;
                bytes.extend_from_slice(&piece[skip..]);
                Ok(())
            })?;
            catalog.take(&bytes.freeze(), at).map_err(|error| archive.at(error, &extent.key(database)))?;
            at = extent.end;
        }
        let newest = listing.closed.get(&database).and_then(|times| times.last());
        let stated = match newest.map(|time| ClosedFile::read(archive, database, *time)) {
            Some(Ok(file)) => file.ends.get(&database).copied().unwrap_or(0),
            Some(Err(error)) if !is_about_content(error.kind) => return Err(error),
            Some(Err(_)) | None => 0,
        };
        let behind = listing.extents_of(database).iter().map(|extent| extent.end).max().unwrap_or(0).max(stated);
        if behind > at {
            let error = Error::new(ErrorKind::Incomplete, "a part of a database's catalog is missing");
            return Err(archive.at(error.with_expected(format!("entries up to {behind}"), at), &Key::Extent(database, at)));
        }
        Ok(catalog)
    }

    fn take(&mut self, bytes: &Bytes, start: Lsn) -> Result<()> {
        let mut at = start;
        while at < start + bytes.len() as u64 {
            let record = Record::parse(bytes.slice((at - start) as usize..), at)?;
            if record.head.kind == RecordKind::Catalog {
                self.entries.push((record.head.commit_time, CatalogEntry::from_json(record.json()?)?));
            }
            at = record.head.end();
        }
        Ok(())
    }

    /// Says what the catalog held at a time.
    ///
    /// # Errors
    /// `Corrupt` when the entries do not make sense.
    pub fn state_at(&self, at: CommitTime) -> Result<CatalogState> {
        let mut state = CatalogState::default();
        for (time, entry) in self.entries.iter().take_while(|(time, _)| *time <= at) {
            state.apply(entry, *time)?;
        }
        Ok(state)
    }
}

/// Gives the newest time that a database closed; 0 when it closed none.
#[must_use]
pub fn closed(listing: &Listing, database: Timeline) -> CommitTime {
    listing.closed.get(&database).and_then(|times| times.last().copied()).unwrap_or(0)
}
