//! The document of the typed calls against the table that answers them.

use std::collections::BTreeSet;

use platform::http::Method;
use serde_json::Value;

use super::table::{TABLE, Typed};
use super::{DOCUMENT, is_for_readers, is_meant};

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Gives the members that the document knows of a call, and those that it requires.
fn members(operation: &Value) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let named = |parameter: &&Value| parameter["name"].as_str().is_some();
    let name = |parameter: &'_ Value| -> String { parameter["name"].as_str().unwrap().to_owned() };
    assert!(parameters.iter().all(named), "every parameter has a name: {}", parameters.iter().map(|p| name(p)).collect::<String>());
    let of_address = |required_only: bool| {
        let all = parameters.iter().filter(move |parameter| !required_only || parameter["required"] == true);
        all.filter_map(|parameter| parameter["name"].as_str())
    };
    let of_body = body["properties"].as_object().into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    (of_address(false).chain(of_body).collect(), of_address(true).chain(texts(&body["required"])).collect())
}

#[test]
fn the_document_has_every_call_with_its_members_and_no_other() {
    let document = document();
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.trim_start_matches('/').to_owned()));
        }
    }
    let known: BTreeSet<_> = TABLE.iter().map(|Typed { method, path, .. }| (method.name().to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, known);
    for typed in TABLE {
        let operation = &document["paths"][format!("/{}", typed.path)][typed.method.name().to_lowercase()];
        let (all, required) = members(operation);
        let fields: BTreeSet<&str> = typed.fields.iter().map(|field| field.name).collect();
        let needed: BTreeSet<&str> = typed.fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        assert_eq!((all, required), (fields, needed), "{:?} {}", typed.method, typed.path);
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn a_path_is_that_of_a_typed_call_or_of_the_other_api() {
    for path in ["/vectra/v1/jobs", "/vectra/v1", "//vectra//v1/x"] {
        assert!(is_meant(path), "{path}");
    }
    for path in ["/", "/collections", "/vectra", "/vectra/v2", "/vectra/v1/commands", "/collections/vectra/v1"] {
        assert!(!is_meant(path), "{path}");
    }
    assert!(is_for_readers(Method::Get, "/vectra/v1/jobs") && is_for_readers(Method::Get, "/vectra/v1/openapi.json"));
    assert!(!is_for_readers(Method::Post, "/vectra/v1/restore") && !is_for_readers(Method::Get, "/vectra/v1/backups"));
}
