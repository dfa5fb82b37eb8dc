//! Parts of an archive that are missing or damaged: what lies before them is restored, what lies behind is refused and says why.

use engine::error::ErrorKind;
use pitr::archive::{Key, Listing};
use pitr::{RestoreRequest, Target};

use crate::source::Source;

/// A history of one extent an operation, without a manifest but the first.
fn history(seed: u64) -> (Source, Vec<(u64, crate::machine::Content)>, Vec<Key>) {
    let mut source = Source::new(seed);
    let collection = source.create("c");
    source.pass(&[&collection]);
    let mut moments = Vec::new();
    for round in 0..5_u64 {
        moments.push(source.write(&collection, round * 10..round * 10 + 15));
        source.pass(&[&collection]);
    }
    let timeline = collection.version().manifest.timeline();
    let listing = Listing::read(&*source.store).expect("the archive is listed");
    let extents = listing.extents_of(timeline).iter().map(|extent| extent.key(timeline)).collect();
    (source, moments, extents)
}

#[test]
fn a_missing_extent_stops_what_lies_behind_it_and_nothing_before() {
    let (source, moments, extents) = history(41);
    let lost = extents.len() - 3;
    source.store.delete(&extents[lost].to_string()).unwrap();
    let mut whole = 0;
    for (time, content) in &moments {
        match source.at("c", *time) {
            Ok((_, found)) => {
                assert_eq!(&found, content);
                whole += 1;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Incomplete, "{error}");
                assert_eq!(error.object.as_deref(), Some(extents[lost].to_string().as_str()));
                let newest = moments[whole - 1].0;
                assert!(error.hint.unwrap().contains(&pitr::time_text::format(newest)), "the newest complete state is named");
            }
        }
    }
    assert_eq!(whole, moments.len() - 3);
    let latest = RestoreRequest { name: "c", target: Target::Latest, ..RestoreRequest::default() };
    assert_eq!(source.elsewhere(&latest).unwrap_err().kind, ErrorKind::Incomplete, "never silently an older state");
}

#[test]
fn a_damaged_extent_is_refused_by_name() {
    let (source, moments, extents) = history(42);
    let key = extents[extents.len() - 3].to_string();
    let mut bytes = source.store.get(&key).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    source.store.delete(&key).unwrap();
    source.store.put_if_absent(&key, vec![bytes.into()]).unwrap();
    for (index, (time, content)) in moments.iter().enumerate() {
        match source.at("c", *time) {
            Ok((_, found)) => assert_eq!(&found, content),
            Err(error) => {
                assert!(index + 3 >= moments.len(), "what lies before the damage is whole");
                assert_eq!((error.kind, error.object), (ErrorKind::Corrupt, Some(key.clone())));
            }
        }
    }
    assert_eq!(source.at("c", moments.last().unwrap().0).unwrap_err().kind, ErrorKind::Corrupt);
}

#[test]
fn a_damaged_catalog_is_in_nobodys_way_who_names_the_timeline() {
    let (source, moments, _) = history(43);
    let listing = Listing::read(&*source.store).unwrap();
    let database = source.database.id().unwrap().unwrap();
    let key = listing.extents_of(database)[0].key(database).to_string();
    let mut bytes = source.store.get(&key).unwrap().to_vec();
    bytes[100] ^= 1;
    source.store.delete(&key).unwrap();
    source.store.put_if_absent(&key, vec![bytes.into()]).unwrap();
    let (time, content) = &moments[2];
    let error = source.at("c", *time).unwrap_err();
    assert!(error.kind == ErrorKind::Corrupt && error.hint.unwrap().contains("--timeline"));
    let timeline = *listing.bases.keys().next().unwrap();
    let request = RestoreRequest { name: "c", target: Target::Time(*time), timeline: Some(timeline), ..RestoreRequest::default() };
    assert_eq!(&source.elsewhere(&request).unwrap().1, content);
}

#[test]
fn a_full_disk_and_a_missing_archive_are_told_before_anything_is_written() {
    let (source, moments, _) = history(44);
    let other = crate::machine::Machine::new(45);
    let database = other.database();
    let request = RestoreRequest { name: "c", target: Target::Time(moments[1].0), ..RestoreRequest::default() };
    other.sim.disk.set_capacity(Some(100_000));
    let error = pitr::restore(&database, &source.store, &request, &|_, _| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSpace);
    let nothing = source.machine.store("/nothing");
    assert_eq!(pitr::restore(&database, &nothing, &request, &|_, _| ()).unwrap_err().kind, ErrorKind::NotFound);
    assert!(database.state().collections.is_empty());
}
