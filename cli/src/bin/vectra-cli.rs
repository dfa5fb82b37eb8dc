//! The same program under its second name.

fn main() {}
