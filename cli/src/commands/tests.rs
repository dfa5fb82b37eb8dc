//! The data commands from end to end, in this process, on a real directory.

mod collections;
mod import;
mod past;
mod points;
mod search;
