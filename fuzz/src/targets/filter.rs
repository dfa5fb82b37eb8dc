//! A filter, and payloads that it is asked about: by themselves and through indexes, which must agree.
//!
//! Input: lines; the first is the filter, the others are payloads.

use engine::PointId;
use engine::payload::{FieldIndex, FieldIndexBuilder, FieldType, Filter, Limits, Lookup, merge, minify_checked};

use super::Target;

/// See the top of this file.
pub const TARGET: Target = Target { name: "filter", run, seeds, words: WORDS };

const WORDS: &[&str] = &[
    "\"must\":[",
    "\"should\":[",
    "\"must_not\":[",
    "\"min_should\":{\"conditions\":[],\"min_count\":2}",
    "{\"key\":\"a\",\"match\":{\"value\":1}}",
    "{\"key\":\"a.b[].c\",\"match\":{\"any\":[1,2]}}",
    "{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}",
    "{\"key\":\"a\",\"range\":{\"gte\":1,\"lt\":2.5}}",
    "{\"has_id\":[1,\"0f0e0d0c-0b0a-0908-0706-050403020100\"]}",
    "{\"is_empty\":{\"key\":\"a\"}}",
    "{\"is_null\":{\"key\":\"a\"}}",
    "{\"key\":\"a\",\"match\":{\"text\":\"x y\"}}",
    "{\"key\":\"a\",\"match\":{\"prefix\":\"x\"}}",
    "{\"key\":\"a\",\"range\":{\"gt\":\"2021-01-01T00:00:00Z\"}}",
    "{\"key\":\"a\",\"values_count\":{\"gte\":1}}",
    "{\"key\":\"a\",\"geo_radius\":{\"center\":{\"lat\":1,\"lon\":2},\"radius\":5}}",
    "{\"nested\":{\"key\":\"a\",\"filter\":{\"must\":[]}}}",
    "{\"has_vector\":\"\"}",
    "{\"slice\":{\"total\":3,\"index\":1}}",
    "\"a\":[null,1,\"x\",true,{\"b\":[]}]",
    "18446744073709551616",
    "1e400",
    "\\u0000",
    "\\ud83d",
    "\n",
];

/// Payloads that are looked at: more make a run slow, not better.
const ROWS_MAX: usize = 24;

fn run(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let filter = lines.next().map(Filter::parse);
    let payloads: Vec<Option<String>> = lines.take(ROWS_MAX).filter_map(minified).collect();
    for pair in payloads.windows(2) {
        if let [old, Some(patch)] = pair
            && let Ok(Some(merged)) = merge(old.as_deref(), patch)
        {
            assert_eq!(minified(&merged), Some(Some(merged)), "what was merged is minified");
        }
    }
    let Some(Ok(filter)) = filter else { return false };
    agree(&filter, &payloads);
    true
}

fn minified(text: &str) -> Option<Option<String>> {
    let once = minify_checked(text, &Limits::default()).ok()?;
    if let Some(once) = &once {
        let twice = minify_checked(once, &Limits::default());
        assert_eq!(twice.ok().flatten().as_ref(), Some(once), "minifying twice changes nothing");
    }
    Some(once)
}

/// What an index is sure of is so, and what it does not name is not.
fn agree(filter: &Filter, payloads: &[Option<String>]) {
    let rows = payloads.len() as u32;
    let holds: Vec<bool> =
        (0..).zip(payloads).map(|(row, payload)| filter.matches(&PointId::Number(row), payload.as_deref(), &|_| false)).collect();
    let rows_of = |id: &PointId, visit: &mut dyn FnMut(u32)| match id {
        PointId::Number(row) if *row < u64::from(rows) => visit(*row as u32),
        _ => {}
    };
    for kind in FieldType::ALL {
        let mut indexes = Vec::new();
        for path in filter.fields().into_iter().take(8) {
            let mut builder = FieldIndexBuilder::new(path, kind, rows);
            (0..).zip(payloads).for_each(|(row, payload)| builder.add(row, payload.as_deref()));
            let index = FieldIndex::open(builder.finish().into()).expect("a new index opens");
            index.verify().expect("a new index is whole");
            indexes.push(index);
        }
        let lookup = Lookup { rows, indexes: &indexes, changed: None, rows_of: Some(&rows_of), with_vector: None };
        let (found, bounds) = (lookup.plan(filter), lookup.estimate(filter));
        for (row, &holds) in (0..).zip(&holds) {
            assert!(!found.sure.get(row) || holds, "a {kind} index is wrongly sure of {:?}", payloads[row as usize]);
            assert!(!holds || found.sure.get(row) || found.maybe.get(row), "a {kind} index misses {:?}", payloads[row as usize]);
        }
        let count = holds.iter().filter(|holds| **holds).count();
        assert!(bounds.least <= count && count <= bounds.most, "{count} rows pass, {bounds:?} were estimated");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let filters = [
        "{}",
        "{\"must\":[{\"key\":\"a\",\"match\":{\"value\":\"x\"}},{\"is_empty\":{\"key\":\"b\"}}]}",
        "{\"should\":[{\"key\":\"n\",\"range\":{\"gt\":-1,\"lte\":2.5}},{\"has_id\":[0,2]}],\"must_not\":[{\"is_null\":{\"key\":\"a\"}}]}",
        "{\"min_should\":{\"conditions\":[{\"key\":\"a\",\"match\":{\"any\":[1,2]}},{\"key\":\"o.p[].q\",\"match\":{\"except\":[\"z\"]}}],\"min_count\":1}}",
        "{\"must\":[{\"must_not\":[{\"key\":\"n\",\"match\":{\"value\":3}}]}]}",
    ];
    let payloads = "{\"a\":\"x\",\"n\":3}\n{\"a\":[1,2,null],\"n\":2.5}\n{\"a\":null}\n{ \"o\" : {\"p\":[{\"q\":true},{\"q\":[]}]} }\n{\"b\":[],\"n\":-0.0}\n{}";
    filters.iter().map(|filter| format!("{filter}\n{payloads}").into_bytes()).collect()
}
