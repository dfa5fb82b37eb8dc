//! An archived collection of several sealed log files, and machines that refer to it.

use std::sync::Arc;

use engine::{Collection, Database};
use pitr::archive::{Key, Listing};
use pitr::lazy::{Lazy, Stay};
use pitr::{RestoreRequest, Target};
use platform::object_store::ObjectStore;

use crate::machine::{Content, Machine, seal};
use crate::source::{ARCHIVE, Source};

pub const LAZY: Lazy<'static> = Lazy { location: ARCHIVE, endpoint: None, stay: Stay::UntilBrought };

/// A collection "c" with four sealed log files and a tail; gives every moment of it with what was there.
pub fn archived(seed: u64) -> (Source, Collection, Vec<(u64, Content)>) {
    let mut source = Source::new(seed);
    let collection = source.create("c");
    source.pass(&[&collection]);
    let mut moments = Vec::new();
    for round in 0..4_u64 {
        moments.push(source.write(&collection, round * 300..round * 300 + 350));
        moments.push(source.write(&collection, round * 300 + 50..round * 300 + 90));
        seal(&collection);
        source.pass(&[&collection]);
    }
    moments.push(source.write(&collection, 100..120));
    source.pass(&[&collection]);
    (source, collection, moments)
}

/// Opens a database whose lazy collections reach a store, whatever location their markers name.
pub fn reaching(machine: &Machine, store: &Arc<dyn ObjectStore>) -> Database {
    let mut database = machine.database();
    let store = store.clone();
    database.set_range_sources(pitr::lazy::range_sources(move |location, _| {
        assert_eq!(location, ARCHIVE, "the location as it was given");
        Ok(store.clone())
    }));
    database
}

pub fn to(time: u64, stay: Stay) -> RestoreRequest<'static> {
    RestoreRequest { name: "c", target: Target::Time(time), lazy: Some(Lazy { stay, ..LAZY }), ..RestoreRequest::default() }
}

/// The pins of readers that an archive has.
pub fn pins(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let listing = Listing::read(&**store).expect("an archive is listed");
    listing.readers.into_iter().map(|name| Key::Reader(name).to_string()).collect()
}
