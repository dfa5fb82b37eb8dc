//! The `vectra` program.

fn main() {}
