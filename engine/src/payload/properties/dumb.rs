//! What a filter means, said again in the plainest way over parsed JSON: the oracle of the other one. It reads the filter's text itself.

use serde_json::Value as Json;

use crate::payload::number::Number;

/// The vectors that every point of the tests has.
pub const VECTORS: [&str; 1] = ["a"];

/// Moments that payloads and filters of the tests name, with their microseconds.
pub const MOMENTS: [(&str, i64); 4] = [
    ("2021-01-01", 1_609_459_200_000_000),
    ("2021-01-01T00:00:00Z", 1_609_459_200_000_000),
    ("2021-01-01 01:30:00.5+01:00", 1_609_461_000_500_000),
    ("1969-12-31T23:59:59.999999", -1),
];

/// Says whether a filter holds for a point, or for an object within it, which has no id.
pub fn holds(filter: &Json, id: Option<u64>, payload: &Json) -> bool {
    let list = |name: &str| match filter.get(name) {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
    };
    let passes = |condition: &Json| condition_holds(condition, id, payload);
    let (must, should, must_not) = (list("must"), list("should"), list("must_not"));
    let counted = filter.get("min_should").is_none_or(|counted| {
        let count = counted["conditions"].as_array().unwrap().iter().filter(|condition| passes(condition)).count();
        count as u64 >= counted["min_count"].as_u64().unwrap()
    });
    must.iter().all(passes) && (should.is_empty() || should.iter().any(passes)) && !must_not.iter().any(passes) && counted
}

fn condition_holds(condition: &Json, id: Option<u64>, payload: &Json) -> bool {
    let members = condition.as_object().unwrap();
    if let Some(ids) = members.get("has_id") {
        return id.is_some_and(|id| ids.as_array().unwrap().contains(&id.into()));
    }
    if let Some(name) = members.get("has_vector") {
        return id.is_some() && VECTORS.contains(&name.as_str().unwrap());
    }
    if let Some(nested) = members.get("nested") {
        let found = values(payload, nested["key"].as_str().unwrap().trim_end_matches("[]"));
        let elements = found.iter().filter_map(|value| value.as_array()).flatten();
        return elements.filter(|element| element.is_object()).any(|element| holds(&nested["filter"], None, element));
    }
    for name in ["is_empty", "is_null"] {
        if let Some(keyed) = members.get(name).filter(|keyed| keyed.is_object()) {
            return field_holds(name, &Json::Bool(true), &values(payload, keyed["key"].as_str().unwrap()));
        }
    }
    match members.get("key") {
        Some(key) => {
            let (name, test) = members.iter().find(|(name, _)| *name != "key").unwrap();
            field_holds(name, test, &values(payload, key.as_str().unwrap()))
        }
        None => holds(condition, id, payload),
    }
}

/// Lists the values at a path whose keys hold neither dots nor brackets.
fn values<'a>(payload: &'a Json, path: &str) -> Vec<&'a Json> {
    let mut found = vec![payload];
    for key in path.split('.') {
        let name = key.trim_end_matches("[]");
        found = found.into_iter().filter_map(|value| value.as_object()?.get(name)).collect();
        if key.ends_with("[]") {
            found = found.into_iter().filter_map(|value| value.as_array()).flatten().collect();
        }
    }
    found
}

fn field_holds(name: &str, test: &Json, values: &[&Json]) -> bool {
    let leaves = || values.iter().flat_map(|value| value.as_array().map_or(std::slice::from_ref(*value), Vec::as_slice));
    match name {
        "is_empty" => test.as_bool().unwrap() == values.iter().all(|value| value.is_null() || value.as_array().is_some_and(Vec::is_empty)),
        "is_null" => {
            let inner = |value: &Json| value.as_array().is_some_and(|list| list.contains(&Json::Null));
            test.as_bool().unwrap() == values.iter().any(|value| value.is_null() || inner(value))
        }
        "values_count" => {
            let count = |value: &Json| if value.is_null() { 0 } else { value.as_array().map_or(1, Vec::len) };
            let counts: Vec<usize> = if values.is_empty() { vec![0] } else { values.iter().map(|value| count(value)).collect() };
            counts.iter().any(|count| within(test, Number::Integer(*count as i128), |bound| number(bound).unwrap()))
        }
        "match" => leaves().any(|leaf| match_holds(test, leaf)),
        "range" if test.as_object().unwrap().values().any(Json::is_string) => {
            leaves().any(|leaf| moment(leaf).is_some_and(|micros| within(test, micros, |bound| moment(bound).unwrap())))
        }
        "range" => leaves().any(|leaf| number(leaf).is_some_and(|found| within(test, found, |bound| number(bound).unwrap()))),
        // The tests ask for circles of a meter, which hold their center alone.
        "geo_radius" => leaves().any(|leaf| place(leaf).is_some_and(|found| Some(found) == place(&test["center"]))),
        "geo_bounding_box" => leaves().any(|leaf| {
            let (from, to) = (place(&test["top_left"]).unwrap(), place(&test["bottom_right"]).unwrap());
            place(leaf).is_some_and(|(lat, lon)| from.0 > lat && lat > to.0 && from.1 < lon && lon < to.1)
        }),
        other => panic!("the oracle does not know {other}"),
    }
}

fn match_holds(test: &Json, leaf: &Json) -> bool {
    let same = |value: &Json| {
        value == leaf || matches!((number(value), number(leaf)), (Some(Number::Integer(a)), Some(Number::Integer(b))) if a == b)
    };
    let (kind, wanted) = test.as_object().unwrap().iter().next().unwrap();
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    match (kind.as_str(), leaf.as_str(), wanted.as_str()) {
        ("value", ..) => same(wanted),
        ("any", ..) => wanted.as_array().unwrap().iter().any(same),
        ("except", ..) => !leaf.is_null() && !wanted.as_array().unwrap().iter().any(same),
        ("text", Some(text), Some(query)) => !words(query).is_empty() && words(query).iter().all(|word| words(text).contains(word)),
        ("text_any", Some(text), Some(query)) => words(query).iter().any(|word| words(text).contains(word)),
        ("phrase", Some(text), Some(query)) => {
            let (all, wanted) = (words(text), words(query));
            !wanted.is_empty() && (0..all.len()).any(|at| all[at..].starts_with(&wanted))
        }
        ("prefix", Some(text), Some(prefix)) => text.as_bytes().starts_with(prefix.as_bytes()),
        ("substring", Some(text), Some(part)) => text.contains(part),
        _ => false,
    }
}

fn number(value: &Json) -> Option<Number> {
    if value.is_number() { Number::parse(&value.to_string()) } else { None }
}

fn moment(value: &Json) -> Option<Number> {
    let text = value.as_str()?;
    MOMENTS.iter().find(|(known, _)| *known == text).map(|(_, micros)| Number::Integer((*micros).into()))
}

fn place(value: &Json) -> Option<(f64, f64)> {
    Some((value.get("lat")?.as_f64()?, value.get("lon")?.as_f64()?))
}

fn within(bounds: &Json, found: Number, read: impl Fn(&Json) -> Number) -> bool {
    bounds.as_object().unwrap().iter().all(|(name, bound)| {
        let order = found.compare(read(bound));
        match name.as_str() {
            "gt" => order.is_gt(),
            "gte" => order.is_ge(),
            "lt" => order.is_lt(),
            _ => order.is_le(),
        }
    })
}
