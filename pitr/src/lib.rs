//! What outlives a machine: archive, backups and restore.
