//! Backups and restores by the real program: the product's commands word for word, and what a user may rely on.

mod answers;
mod archives;
mod broken;
mod buckets;
mod demo;
mod drills;
mod options;
mod place;
mod readiness;
mod space;
mod verbatim;
mod while_importing;
