//! Random payloads, filters and bytes: the definition agrees with a plainer one, indexes agree with the definition, minified text with
//! another parser, and nothing panics.

mod dumb;

use bytes::Bytes;
use index::Bitmap;
use proptest::prelude::*;

use super::edit::merge;
use super::field_index::{FieldIndex, FieldIndexBuilder, FieldType};
use super::filter::{Filter, Lookup, plan};
use super::json::{Limits, minify_checked};
use super::path::FieldPath;
use crate::PointId;

/// A few values of each type, chosen so that they meet, and their neighbours.
fn scalar() -> impl Strategy<Value = String> {
    let fixed = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1",
        "1.0",
        "2",
        "2.5",
        "-3",
        "1e0",
        "9007199254740992",
        "9007199254740993",
        "9007199254740992.0",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "-9223372036854775808",
        "1e400",
        "\"\"",
        "\"x\"",
        "\"y\"",
        "\"\\u0078\"",
        "\"1\"",
        "\"ü\"",
        "\"x y\"",
        "\"Y-x, x\"",
        "\"2021-01-01\"",
        "\"2021-01-01T00:00:00Z\"",
        "\"2021-01-01 01:30:00.5+01:00\"",
        "\"1969-12-31T23:59:59.999999\"",
        "{\"lat\":1.5,\"lon\":2}",
        "{\"lat\":50,\"lon\":8.25}",
    ];
    prop_oneof![4 => prop::sample::select(fixed.to_vec()).prop_map(str::to_string), 1 => any::<f64>().prop_filter_map("finite", |f| f.is_finite().then(|| format!("{f:e}")))]
}

/// JSON of some depth; keys are taken from a small set so that paths hit.
fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::btree_map("[abc]", inner, 0..3).prop_map(object),
        ]
    })
}

fn object(members: std::collections::BTreeMap<String, String>) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn payload() -> impl Strategy<Value = Option<String>> {
    let field = prop_oneof![3 => scalar(), 1 => value()];
    prop::collection::btree_map("[abc]", field, 0..3).prop_map(object).prop_map(|text| minify_checked(&text, &Limits::default()).unwrap())
}

const PATHS: [&str; 5] = ["a", "b", "c", "a.b", "b[].a"];

fn condition() -> impl Strategy<Value = String> {
    let path = prop::sample::select(PATHS.to_vec());
    let keyword = prop::sample::select(vec!["\"\"", "\"x\"", "\"y\"", "\"1\"", "\"ü\""]);
    let integer = prop::sample::select(vec!["0", "1", "2", "-3", "9007199254740992", "9007199254740993", "9223372036854775808"]);
    let number =
        prop::sample::select(vec!["0", "1", "1.5", "-3", "9007199254740992.0", "9007199254740993", "9223372036854775807", "1e300"]);
    let list = prop_oneof![prop::collection::vec(keyword.clone(), 0..3), prop::collection::vec(integer.clone(), 0..3)]
        .prop_map(|list| list.join(","));
    let single = prop_oneof![keyword, integer, prop::sample::select(vec!["true", "false"])];
    let bound = (prop::sample::select(vec!["gt", "gte", "lt", "lte"]), number);
    let bounds = prop::collection::btree_map(bound.0, bound.1, 0..3);
    let query = prop::sample::select(vec!["x", "X y", "y x", "y X x", "ü", "-", "", "1", "2021 01", "2021-01-01"]);
    let text_kind = prop::sample::select(vec!["text", "text_any", "phrase", "prefix", "substring"]);
    let moment = prop::sample::select(dumb::MOMENTS.map(|(text, _)| text).to_vec());
    let moments = prop::collection::btree_map(prop::sample::select(vec!["gt", "gte", "lt", "lte"]), moment, 1..3);
    let counts = prop::collection::btree_map(prop::sample::select(vec!["gt", "gte", "lt", "lte"]), -1..4, 0..3);
    let place = prop::sample::select(vec![r#"{"lat":1.5,"lon":2}"#, r#"{"lat":50,"lon":8.25}"#]);
    let corner = prop::sample::select(vec![r#"{"lat":60,"lon":0}"#, r#"{"lat":40,"lon":8}"#]);
    let written = |bounds: Vec<String>| bounds.join(",");
    let others = prop_oneof![
        3 => (path.clone(), text_kind, query).prop_map(|(path, kind, text)| format!(r#"{{"key":"{path}","match":{{"{kind}":"{text}"}}}}"#)),
        2 => (path.clone(), moments).prop_map(move |(path, bounds)| {
            let bounds = written(bounds.iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect());
            format!(r#"{{"key":"{path}","range":{{{bounds}}}}}"#)
        }),
        2 => (path.clone(), counts).prop_map(move |(path, bounds)| {
            let bounds = written(bounds.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect());
            format!(r#"{{"key":"{path}","values_count":{{{bounds}}}}}"#)
        }),
        1 => (path.clone(), place).prop_map(|(path, place)| format!(r#"{{"key":"{path}","geo_radius":{{"center":{place},"radius":1}}}}"#)),
        1 => (path.clone(), corner).prop_map(|(path, corner)| {
            format!(r#"{{"key":"{path}","geo_bounding_box":{{"top_left":{corner},"bottom_right":{{"lat":1,"lon":9}}}}}}"#)
        }),
        1 => (path.clone(), prop::sample::select(vec!["is_empty", "is_null"]), any::<bool>())
            .prop_map(|(path, kind, is_so)| format!(r#"{{"key":"{path}","{kind}":{is_so}}}"#)),
        1 => prop::sample::select(vec!["a", "b"]).prop_map(|name| format!(r#"{{"has_vector":"{name}"}}"#)),
    ];
    let fields = prop_oneof![
        3 => (path.clone(), single).prop_map(|(path, value)| format!(r#"{{"key":"{path}","match":{{"value":{value}}}}}"#)),
        3 => (path.clone(), prop::sample::select(vec!["any", "except"]), list).prop_map(|(path, kind, list)| format!(r#"{{"key":"{path}","match":{{"{kind}":[{list}]}}}}"#)),
        3 => (path.clone(), bounds).prop_map(|(path, bounds)| {
            let bounds: Vec<String> = bounds.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!(r#"{{"key":"{path}","range":{{{}}}}}"#, bounds.join(","))
        }),
        1 => path.clone().prop_map(|path| format!(r#"{{"is_empty":{{"key":"{path}"}}}}"#)),
        1 => path.prop_map(|path| format!(r#"{{"is_null":{{"key":"{path}"}}}}"#)),
        1 => prop::collection::vec(0..40_u32, 0..6).prop_map(|ids| format!(r#"{{"has_id":{ids:?}}}"#)),
    ];
    prop_oneof![fields, others]
}

fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(3, 16, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..3).prop_map(|list| format!("[{}]", list.join(",")));
        let nested = prop::sample::select(vec!["", "", "", "b", "b[]", "a.b"]);
        (list(), list(), list(), list(), 0..4_usize, any::<bool>(), nested).prop_map(
            |(must, should, must_not, counted, min_count, count, nested)| {
                let counted =
                    if count { format!(r#","min_should":{{"conditions":{counted},"min_count":{min_count}}}"#) } else { String::new() };
                let filter = format!(r#"{{"must":{must},"should":{should},"must_not":{must_not}{counted}}}"#);
                if nested.is_empty() { filter } else { format!(r#"{{"nested":{{"key":"{nested}","filter":{filter}}}}}"#) }
            },
        )
    })
}

fn build(path: &str, kind: FieldType, payloads: &[Option<String>]) -> FieldIndex {
    let mut builder = FieldIndexBuilder::new(&FieldPath::parse(path).unwrap(), kind, payloads.len() as u32);
    for (row, payload) in (0..).zip(payloads) {
        builder.add(row, payload.as_deref());
    }
    let index = FieldIndex::open(Bytes::from(builder.finish())).unwrap();
    index.verify().unwrap();
    index
}

fn matches(filter: &Filter, row: u32, payload: Option<&str>) -> bool {
    filter.matches(&PointId::Number(row.into()), payload, &|name| dumb::VECTORS.contains(&name))
}

/// Asserts that what an index answers, the open rows decided by their payloads, is what the filter means; ids are row numbers.
fn check(filter: &Filter, lookup: &Lookup<'_>, payloads: &[Option<String>]) -> Result<usize, TestCaseError> {
    let found = lookup.plan(filter);
    let bounds = lookup.estimate(filter);
    let mut count = 0;
    for (row, payload) in (0..).zip(payloads) {
        let expected = matches(filter, row, payload.as_deref());
        count += usize::from(expected);
        let (sure, maybe) = (found.sure.get(row), found.maybe.get(row));
        prop_assert!(!(sure && maybe), "row {row} is in both sets");
        prop_assert_eq!(sure || maybe && expected, expected, "row {} with {:?}: sure {}, maybe {}", row, payload, sure, maybe);
    }
    prop_assert!(bounds.least <= count && count <= bounds.most, "{} is not within {:?}", count, bounds);
    Ok(found.maybe.count() as usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_means_what_a_plainer_reading_of_it_says(
        payloads in prop::collection::vec(payload(), 1..20),
        text in prop_oneof![condition(), filter()].prop_map(|text| format!("{{\"must\":[{text}]}}")),
    ) {
        let filter = Filter::parse(&text).unwrap();
        let plain: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (row, payload) in (0..).zip(&payloads) {
            let json = serde_json::from_str(payload.as_deref().unwrap_or("{}")).unwrap();
            let expected = dumb::holds(&plain, Some(row.into()), &json);
            prop_assert_eq!(matches(&filter, row, payload.as_deref()), expected, "{} on {:?}", text, payload);
        }
    }

    #[test]
    fn an_indexed_answer_is_the_definition(
        payloads in prop::collection::vec(payload(), 0..40),
        kinds in prop::collection::vec(prop::option::weighted(0.8, prop::sample::select(FieldType::ALL.to_vec())), PATHS.len()),
        text in prop_oneof![condition(), filter()].prop_map(|text| format!("{{\"must\":[{text}]}}")),
        changed in prop::collection::vec((0..40_u32, payload()), 0..4),
    ) {
        let filter = Filter::parse(&text).unwrap();
        let rows = payloads.len() as u32;
        let indexes: Vec<FieldIndex> = PATHS.iter().zip(&kinds).filter_map(|(path, kind)| Some(build(path, (*kind)?, &payloads))).collect();
        let rows_of = |id: &PointId, show: &mut dyn FnMut(u32)| if let PointId::Number(row) = id && *row < rows.into() { show(*row as u32) };
        let with_vector = |name: &str| if dumb::VECTORS.contains(&name) { Bitmap::full(rows) } else { Bitmap::new(rows) };
        let full = Lookup { rows, indexes: &indexes, changed: None, rows_of: Some(&rows_of), with_vector: Some(&with_vector) };
        let open = check(&filter, &full, &payloads)?;
        prop_assert!(plan(&filter, &[], rows).maybe.count() as usize >= open, "an index may not open what is closed without it");
        check(&filter, &Lookup { rows_of: None, with_vector: None, ..full }, &payloads)?;

        let mut now = payloads.clone();
        let mut set = Bitmap::new(rows);
        for (row, payload) in changed.into_iter().filter(|(row, _)| *row < rows) {
            now[row as usize] = payload;
            set.set(row, true);
        }
        check(&filter, &Lookup { changed: Some(&set), ..full }, &now)?;
    }

    #[test]
    fn minified_text_means_the_same_and_minifies_to_itself(text in prop::collection::btree_map("[ab\"\\\\é]{0,3}", value(), 0..4), blanks in prop::collection::vec("[ \n\t\r]{0,2}", 8)) {
        let mut spread = String::new();
        // Each key as another writer quotes it, with blanks wherever no string is open.
        for (at, (key, value)) in text.iter().enumerate() {
            let [a, b] = [&blanks[at], &blanks[at + 4]];
            let comma = if at == 0 { "{" } else { "," };
            spread += &format!("{comma}{a}{}{b}:{a}{value}{b}", serde_json::to_string(key).unwrap());
        }
        let spread = if spread.is_empty() { "{}".to_string() } else { spread + "}" };
        let minified = minify_checked(&spread, &Limits::default()).unwrap();
        let again = minified.as_deref().map(|text| minify_checked(text, &Limits::default()).unwrap().unwrap());
        prop_assert_eq!(&again, &minified);
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        prop_assert_eq!(parse(minified.as_deref().unwrap_or("{}")), parse(&spread));
    }

    #[test]
    fn a_text_is_accepted_exactly_when_another_parser_takes_it(text in "[{}\\[\\]\",:\\\\u0-9a-e.+\\- \ntrue]{0,24}") {
        let text = format!("{{\"k\":{text}}}");
        let ours = minify_checked(&text, &Limits::default());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match (&ours, &theirs) {
            (Err(error), Ok(_)) => prop_assert!(error.message.contains("twice"), "{} on {}", error, text),
            (Ok(_), Err(error)) => prop_assert!(false, "{} on {}", error, text),
            _ => {}
        }
    }

    #[test]
    fn a_merge_is_what_setting_each_key_gives(old in payload(), patch in payload()) {
        let patch = patch.unwrap_or_else(|| "{}".into());
        let merged = merge(old.as_deref(), &patch).unwrap();
        let parse = |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap();
        let mut expected = parse(old.as_deref().unwrap_or("{}"));
        for (key, value) in parse(&patch) {
            if value.is_null() { expected.remove(&key) } else { expected.insert(key, value) };
        }
        prop_assert_eq!(parse(merged.as_deref().unwrap_or("{}")), expected);
        let minified = merged.as_deref().map(|text| minify_checked(text, &Limits::default()).unwrap().unwrap());
        prop_assert_eq!(minified, merged);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>(), json in "[{}\\[\\]\",:\\\\0-9a-dé]{0,40}", at in any::<prop::sample::Index>(), filter in filter()) {
        let cut: String = filter.chars().take(at.index(filter.len() + 1)).collect();
        for text in [&text, &json, &cut, &format!("{{\"must\":{json}}}"), &format!("{{\"a\":{json}}}")] {
            let _ = (Filter::parse(text), minify_checked(text, &Limits::default()), FieldPath::parse(text), merge(Some(text), text));
            // A reader of payloads is given stored text, which may be rotten.
            let filter = Filter::parse(r#"{"must":[{"key":"a[].b","range":{"gt":1}}],"should":[{"key":"a","match":{"except":["x"]}},{"is_empty":{"key":"a.b"}},{"key":"a","match":{"text":"x y"}},{"key":"a","range":{"gt":"2021-01-01"}},{"key":"a","geo_radius":{"center":{"lat":1,"lon":2},"radius":5}},{"key":"a","values_count":{"gt":1}},{"nested":{"key":"a","filter":{"must":[{"is_null":{"key":"b"}}]}}}]}"#).unwrap();
            let edit = FieldPath::parse("a[].b[0].c").unwrap();
            let _ = (super::edit::set_at(Some(text), &edit, "{\"x\":1}"), super::edit::delete_at(Some(text), &edit));
            let _ = filter.matches(&PointId::Number(1), Some(text), &|_| false);
        }
    }

    #[test]
    fn no_bytes_make_an_index_panic(
        payloads in prop::collection::vec(payload(), 0..20),
        kind in prop::sample::select(FieldType::ALL.to_vec()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        text in condition(),
    ) {
        let mut builder = FieldIndexBuilder::new(&FieldPath::parse("a").unwrap(), kind, payloads.len() as u32);
        (0..).zip(&payloads).for_each(|(row, payload)| builder.add(row, payload.as_deref()));
        let mut bytes = builder.finish();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let filter = Filter::parse(&format!("{{\"must\":{text}}}")).unwrap();
        for bytes in [bytes, noise] {
            if let Ok(index) = FieldIndex::open(Bytes::from(bytes)) {
                let _ = index.verify();
                let indexes = [index];
                let lookup = Lookup { rows: indexes[0].rows(), indexes: &indexes, changed: None, rows_of: None, with_vector: None };
                let _ = (lookup.plan(&filter), lookup.estimate(&filter));
            }
        }
    }
}
