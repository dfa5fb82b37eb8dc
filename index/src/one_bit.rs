//! One-bit codes: vectors turned at random, of which each row keeps its signs (RaBitQ), and queries as tables of what signs are worth.

pub(crate) mod rotation;
pub(crate) mod rows;
pub(crate) mod table;
