//! Attacks on every reader of bytes.
