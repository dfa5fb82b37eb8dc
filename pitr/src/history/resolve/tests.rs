//! Handmade archives: which history a name, a time and a timeline mean.

use std::collections::BTreeMap;

use engine::catalog::{CatalogEntry, Origin};
use engine::error::ErrorKind;
use engine::ids::Lsn;

use super::*;
use crate::history::catalog::ArchivedCatalog;
use crate::history::tenure::tenures;
use crate::timeline::{Parent, TimelineFile};

fn life(id: u8) -> Incarnation {
    Incarnation([id; 16])
}

fn timeline(id: u8) -> Timeline {
    Timeline([id; 16])
}

fn create(name: &str, id: u8) -> CatalogEntry {
    CatalogEntry::Create { name: name.to_owned(), incarnation: life(id), origin: Origin::Created }
}

fn replace(name: &str, id: u8) -> CatalogEntry {
    CatalogEntry::Replace { name: name.to_owned(), incarnation: life(id), origin: Origin::Created }
}

fn drop_of(name: &str) -> CatalogEntry {
    CatalogEntry::Drop { name: name.to_owned() }
}

fn database(id: u8, sealed: bool, entries: &[(u64, CatalogEntry)]) -> DatabaseLives {
    let catalog = ArchivedCatalog { database: timeline(id), entries: entries.to_vec(), sealed, closed: 1_000 };
    DatabaseLives { database: Some(timeline(id)), tenures: tenures(entries), catalog: Some(catalog) }
}

/// Lives whose timelines have the same number as they; `parents` says which of them forked from which where.
fn lives(databases: Vec<DatabaseLives>, parents: &[(u8, Option<(u8, Lsn)>)]) -> Lives {
    let mut lives = Lives { databases, ..Lives::default() };
    for &(id, parent) in parents {
        let parent = parent.map(|(id, lsn)| Parent { timeline: timeline(id), lsn });
        let database = Some(timeline(200));
        let file = TimelineFile { format: 1, timeline: timeline(id), database, incarnation: Some(life(id)), parent, reason: String::new() };
        lives.timelines.good.insert(timeline(id), file);
    }
    lives
}

fn at(time: u64) -> Wanted<'static> {
    Wanted { name: "c", at: Some(time), timeline: None }
}

fn tip(lives: &Lives, wanted: &Wanted<'_>) -> u8 {
    resolve(lives, wanted).unwrap().history.tip().0[0]
}

#[test]
fn the_name_as_held_now_goes_back_along_its_ancestry() {
    let entries = [(10, create("c", 1)), (50, replace("c", 2))];
    let lives = lives(vec![database(200, false, &entries)], &[(1, None), (2, Some((1, 320)))]);
    for time in [10, 40, 50, 90] {
        assert_eq!(tip(&lives, &at(time)), 2, "at {time}");
    }
    let before = resolve(&lives, &at(40)).unwrap();
    assert!(before.warnings[0].contains(&timeline(1).to_string()), "the branch that was left is named");
    assert!(resolve(&lives, &at(60)).unwrap().warnings.is_empty());
    assert_eq!(resolve(&lives, &at(9)).unwrap_err().kind, ErrorKind::NotFound);
    let chosen = Wanted { timeline: Some(timeline(1)), ..at(40) };
    assert_eq!(tip(&lives, &chosen), 1);
}

#[test]
fn a_life_that_began_later_gives_way_to_the_one_that_held_the_name() {
    let entries = [(10, create("c", 1)), (20, drop_of("c")), (30, create("c", 2)), (40, drop_of("c"))];
    let lives = lives(vec![database(200, false, &entries)], &[(1, None), (2, None)]);
    assert_eq!(tip(&lives, &at(15)), 1);
    assert_eq!(resolve(&lives, &at(15)).unwrap().until, Some(20));
    let error = resolve(&lives, &at(25)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!((tip(&lives, &at(35)), resolve(&lives, &at(35)).unwrap().until), (2, Some(40)), "the last one that held it");
    assert_eq!(tip(&lives, &Wanted { at: None, ..at(0) }), 2);
}

#[test]
fn two_holders_conflict_unless_one_is_over() {
    let (a, b) = ([(10, create("c", 1))], [(20, create("c", 2))]);
    let parents = [(1, None), (2, None)];
    let both = lives(vec![database(100, false, &a), database(200, false, &b)], &parents);
    let error = resolve(&both, &at(30)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains(&timeline(1).to_string()) && error.message.contains(&timeline(2).to_string()));
    assert_eq!(tip(&both, &at(15)), 1, "only one held it then");
    let taken_over = lives(vec![database(100, true, &a), database(200, false, &b)], &parents);
    assert_eq!(tip(&taken_over, &at(30)), 2, "a database that another one took over holds nothing");
    let dropped = [(10, create("c", 1)), (15, drop_of("c"))];
    let one_left = lives(vec![database(100, false, &dropped), database(200, false, &b)], &parents);
    assert_eq!(tip(&one_left, &at(30)), 2);
}

#[test]
fn a_life_goes_on_with_its_newest_timeline() {
    let mut lives = lives(vec![database(200, false, &[(10, create("c", 1))])], &[(1, None), (2, Some((1, 640)))]);
    lives.timelines.good.get_mut(&timeline(2)).unwrap().incarnation = Some(life(1));
    assert_eq!(tip(&lives, &at(30)), 2, "a takeover goes on with the life");
}

#[test]
fn what_is_damaged_is_said_when_it_is_needed() {
    let mut lives = lives(vec![database(200, false, &[(10, create("c", 1))])], &[(1, None)]);
    lives.bad_catalogs = BTreeMap::from([(timeline(7), Error::corrupt("rot"))]);
    let error = resolve(&lives, &at(30)).unwrap_err();
    assert!(error.kind == ErrorKind::Corrupt && error.hint.unwrap().contains("--timeline"));
    assert_eq!(tip(&lives, &Wanted { timeline: Some(timeline(1)), ..at(30) }), 1);
    let other = Wanted { name: "d", timeline: Some(timeline(1)), at: None };
    assert_eq!(resolve(&lives, &other).unwrap_err().kind, ErrorKind::NotFound, "a timeline of another name");
}
