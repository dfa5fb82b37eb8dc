//! Operations of another history, appended as they were: what a fork does with the writes that came after its last common position.

use std::sync::Arc;

use bytes::Bytes;

use super::Collection;
use crate::error::{Error, Result};
use crate::ids::Lsn;
use crate::log::record::{Record, RecordDraft, RecordKind};

impl Collection {
    /// Appends whole operations with the content and the commit times that they had, under this collection's own timeline. They are durable and
    /// visible when this returns; gives the position behind them. Marks of durability are left out, and moves, which speak of
    /// addresses that this log does not have and which nobody sees.
    ///
    /// # Errors
    /// `Corrupt` when they do not fit this state or their commit times do not rise from its own; `Io`, `NoSpace`, `Locked` on a reader.
    pub fn append_copies(&self, records: &[Arc<Record>]) -> Result<Lsn> {
        let mut writer = self.writer()?.lock();
        let mut appended = Vec::new();
        let is_copied = |record: &&Arc<Record>| !matches!(record.head.kind, RecordKind::Durable | RecordKind::Move);
        for record in records.iter().filter(is_copied) {
            if record.head.commit_time < writer.version.commit_time {
                let error = Error::corrupt("an operation is older than the state that it was to follow").with_offset(record.head.lsn);
                return Err(error.with_expected(format!("{} or later", writer.version.commit_time), record.head.commit_time));
            }
            let draft = RecordDraft::copy_of(record)?;
            let log = self.log_of(&mut writer)?;
            let lsn = log.end();
            let bytes = log.append(&draft, record.head.commit_time)?;
            appended.push(Arc::new(Record::parse(Bytes::from(bytes), lsn)?));
        }
        if let Some(log) = &mut writer.log {
            log.sync()?;
        }
        for record in &appended {
            writer.version.apply(record)?;
        }
        self.current.store(Arc::new(writer.version.clone()));
        assert_eq!(
            writer.log.as_ref().map_or(writer.version.lsn_end, crate::log::LogWriter::end),
            writer.version.lsn_end,
            "all was applied"
        );
        Ok(writer.version.lsn_end)
    }
}
