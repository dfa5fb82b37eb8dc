//! Create, list, count, info, drop, purge, undrop, aliases.

use crate::commands::testing::{Place, payload, vectors};
use engine::ErrorKind;

/// A database with `products`: 40 points, half of them with payload where asked.
fn products(place: &Place, with_payload: bool) {
    let file = place.npy("v.npy", &vectors(40, 8));
    place.ok("collections create products --dim 8 --distance dot");
    let payload = if with_payload { format!("--payload {}", place.write("p.jsonl", payload(40).as_bytes())) } else { String::new() };
    place.ok(&format!("import products --vectors {file} {payload}"));
}

#[test]
fn an_empty_database_lists_nothing_and_is_not_created_by_looking() {
    let place = Place::new();
    assert_eq!(place.ok("collections list").out, "");
    assert_eq!(place.run("collections count products").exit(), 3);
    assert_eq!(place.run("collections drop products").exit(), 3);
    assert!(!crate::commands::testing::exists(&place.data()));
}

#[test]
fn the_list_has_the_documented_lines() {
    let place = Place::new();
    products(&place, true);
    place.ok("collections create bare --dim 8");
    place.ok("collections create vectors_only --dim 8");
    place.ok(&format!("import vectors_only --vectors {}", place.file("v.npy")));
    let expected = "bare (empty)\nproducts (contains vectors and metadata)\nvectors_only (contains vectors)\n";
    assert_eq!(place.ok("collections list").out, expected);
    assert_eq!(place.ok("collections list -q").out, "bare\nproducts\nvectors_only\n");
    let json = place.ok("collections list --json").json();
    assert_eq!(json[0], serde_json::json!({"name": "bare", "points": 0, "state": "ready", "contains": []}));
    assert_eq!(json[1]["contains"], serde_json::json!(["vectors", "metadata"]));
    assert_eq!(json[1]["points"], 40);
}

#[test]
fn metadata_is_gone_from_the_list_when_no_point_has_a_payload() {
    let place = Place::new();
    products(&place, false);
    place.ok("points set-payload products --ids 3 --payload '{\"a\":1}'");
    assert_eq!(place.ok("collections list").out, "products (contains vectors and metadata)\n");
    place.ok("points delete products --ids 3");
    assert_eq!(place.ok("collections list").out, "products (contains vectors)\n");
}

#[test]
fn a_count_is_the_number_and_a_newline() {
    let place = Place::new();
    products(&place, true);
    assert_eq!(place.ok("collections count products").out, "40\n");
    let filter = "collections count products --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"de\"}}]}'";
    assert_eq!(place.ok(filter).out, "20\n");
    assert_eq!(place.ok("collections count products --json").json()[0]["count"], 40);
    let missing = place.run("collections count nothing");
    assert_eq!((missing.exit(), missing.out.as_str()), (3, ""));
    assert_eq!(place.run("collections count products --filter '{\"must\":1}'").exit(), 1);
}

#[test]
fn info_has_the_documented_keys() {
    let place = Place::new();
    place.ok("collections create products --vector title:8:cosine:f16 --vector image:4:euclid:u8 --index flat");
    place.ok("aliases set live products");
    let info = place.ok("collections info live --json").json().remove(0);
    let keys = [
        "name",
        "incarnation",
        "points",
        "tail_points",
        "flat_points",
        "indexed_points",
        "lsn",
        "commit_time",
        "timeline",
        "vectors",
        "segments",
        "bytes",
        "memory_bytes",
        "aliases",
    ];
    for key in keys {
        assert!(!info[key].is_null(), "{key} is missing in {info}");
    }
    assert_eq!((&info["name"], &info["aliases"][0]), (&"products".into(), &"live".into()));
    let image = &info["vectors"]["image"];
    assert_eq!((&image["dim"], &image["distance"], &image["datatype"]), (&4.into(), &"euclid".into(), &"u8".into()));
    assert_eq!(info["vectors"]["title"]["index"], "flat");
    for key in ["log", "segments", "codes"] {
        assert!(info["bytes"][key].is_u64(), "{info}");
    }
    assert!(place.ok("collections info products").out.contains("title: 8 dimensions, cosine, f16, flat"));
}

#[test]
fn a_name_is_taken_once() {
    let place = Place::new();
    place.ok("collections create products --dim 8");
    assert_eq!(place.run("collections create products --dim 8").exit(), 4);
    place.ok("aliases set live products");
    assert_eq!(place.run("collections create live --dim 8").exit(), 4);
    assert_eq!(place.run("collections create 'a/b' --dim 8").failure().kind, ErrorKind::InvalidInput);
}

#[test]
fn what_was_dropped_comes_back_until_it_is_purged() {
    let place = Place::new();
    products(&place, true);
    let dropped = place.ok("collections drop products");
    assert_eq!(dropped.out, "");
    assert!(dropped.err.contains("undrop products") && dropped.err.contains("until 20"), "{}", dropped.err);
    assert_eq!(place.run("collections count products").exit(), 3);
    assert_eq!(place.ok("collections undrop products --json").json()[0]["points"], 40);
    assert_eq!(place.ok("collections count products").out, "40\n");
    let dropped = place.ok("collections drop products --json").json().remove(0);
    assert!(dropped["undrop_until"].as_str().is_some_and(|time| time.ends_with('Z')), "{dropped}");
    assert_eq!(place.ok("collections purge --yes --json").json()[0]["purged"], 1);
    assert_eq!(place.run("collections undrop products").exit(), 3);
    assert_eq!(place.ok("collections purge").out, "", "with nothing to purge nobody is asked");
}

#[test]
fn a_purging_drop_gives_the_space_back_at_once_and_says_so() {
    let place = Place::new();
    products(&place, false);
    let dropped = place.ok("collections drop products --purge");
    assert!(dropped.err.contains("space was given back"), "{}", dropped.err);
    assert_eq!(place.run("collections undrop products").exit(), 3);
    assert_eq!(place.run("collections drop products").exit(), 3);
    assert_eq!(place.ok("collections drop products --if-exists").exit(), 0);
}

#[test]
fn a_recreated_collection_never_meets_the_points_of_the_old_one() {
    let place = Place::new();
    products(&place, true);
    place.ok("collections drop products");
    place.ok("collections create products --dim 8");
    assert_eq!(place.ok("collections list").out, "products (empty)\n");
    assert_eq!(place.run("collections undrop products").exit(), 4, "the name is taken");
}

#[test]
fn an_alias_is_switched_and_deleted() {
    let place = Place::new();
    products(&place, true);
    place.ok("collections create other --dim 8");
    place.ok("aliases set live products");
    assert_eq!(place.ok("collections count live").out, "40\n");
    place.ok("aliases set live other");
    assert_eq!(place.ok("aliases list").out, "live -> other\n");
    assert_eq!(place.ok("aliases list --json").json()[0], serde_json::json!({"alias": "live", "collection": "other"}));
    assert_eq!(place.ok("collections count live").out, "0\n");
    assert_eq!(place.run("aliases set products other").exit(), 4);
    assert_eq!(place.run("aliases set live nothing").exit(), 3);
    assert_eq!(place.run("collections drop live").exit(), 3, "an alias is not what it stands for");
    place.ok("aliases delete live");
    assert_eq!(place.run("aliases delete live").exit(), 3);
}

/// A database with `docs`: 1,500 points of 12 numbers, in one graph.
fn docs(place: &Place) {
    let file = place.npy("docs.npy", &vectors(1_500, 12));
    place.ok("collections create docs --dim 12 --m 8 --ef-construction 60");
    place.ok(&format!("import docs --vectors {file}"));
}

/// What was built, as `info --json` says.
fn built(place: &Place) -> serde_json::Value {
    place.ok("collections info docs --json").json()[0]["indexes"][0].clone()
}

#[test]
fn an_update_rebuilds_what_was_built_otherwise_and_answers_stay() {
    let place = Place::new();
    docs(&place);
    let queries = place.npy("q.npy", &vectors(20, 12));
    let search = |flags: &str| place.ok(&format!("search docs --vectors {queries} {flags} --json")).out;
    let truth = search("--exact");
    let index = built(&place);
    assert_eq!((index["m"].as_u64(), index["m0"].as_u64(), index["rows"].as_u64()), (Some(8), Some(16), Some(1_500)), "{index}");
    assert!(index["sampled_recall"]["recall"].as_f64().unwrap() > 0.9 && index["sampled_recall"]["ef"] == 64, "{index}");
    let degree = index["mean_degree"].as_f64().unwrap();
    assert!(degree > 4.0 && degree <= 16.0, "{index}");
    let said = place.ok("collections update docs --m 12 --no-wait --json").json();
    assert_eq!(said[0], serde_json::json!({"name": "docs", "changed": true, "indexed": false}));
    assert_eq!(built(&place)["differs"], true);
    assert!(place.ok("collections info docs").out.contains("optimize"));
    assert_eq!(search("--ef 1500"), truth);
    place.ok("collections optimize docs");
    assert_eq!((built(&place)["m0"].as_u64(), built(&place)["differs"].as_bool()), (Some(24), Some(false)));
    assert_eq!(search("--ef 1500"), truth);
    assert_eq!(place.ok("collections update docs --m 12 --json").json()[0]["changed"], false);
}

#[test]
fn kind_and_memory_go_together_or_are_refused() {
    let place = Place::new();
    docs(&place);
    let failure = place.run("collections update docs --index hnsw --memory low");
    assert_eq!((failure.exit(), failure.failure().kind), (1, ErrorKind::InvalidInput));
    assert_eq!(place.run("collections create other --dim 4 --index flat --memory low").exit(), 1);
    assert_eq!(place.run("collections update docs --vector title --m 4").exit(), 1);
    place.ok("collections update docs --memory low --no-wait");
    let index = built(&place);
    assert_eq!((index["kind"].as_str(), index["memory"].as_str(), index["code_bits"].as_u64()), (Some("ivf"), Some("low"), Some(1)));
    place.ok("collections update docs --index hnsw --memory compact");
    let vector = place.ok("collections info docs --json").json()[0]["vectors"][""].clone();
    assert_eq!((vector["index"].as_str(), vector["memory"].as_str()), (Some("hnsw"), Some("compact")));
}

#[test]
fn a_configuration_moves_from_one_collection_to_another_or_changes_nothing() {
    let place = Place::new();
    docs(&place);
    place.ok("collections field-index docs lang --type keyword");
    let file = place.file("index.json");
    place.ok(&format!("collections index export docs --output {file}"));
    assert_eq!(place.ok("collections index export docs").out, place.read("index.json"));
    place.ok("collections create other --dim 7");
    place.ok(&format!("collections index import other {file}"));
    assert_eq!(place.ok("collections index export other").out, place.read("index.json"));
    assert!(place.ok("collections info other").out.contains("lang"));
    let wrong = place.write("wrong.json", place.read("index.json").replace("\"m\": 8", "\"m\": 1000").as_bytes());
    assert_eq!(place.run(&format!("collections index import other {wrong}")).exit(), 1);
    assert_eq!(place.run(&format!("collections index import other {}", place.file("missing.json"))).exit(), 1);
    assert_eq!(place.ok("collections index export other").out, place.read("index.json"));
}

#[test]
fn a_search_by_recall_finds_that_much() {
    let place = Place::new();
    docs(&place);
    let queries = place.npy("q.npy", &vectors(10, 12));
    let search = |flags: &str| place.ok(&format!("search docs --vectors {queries} {flags} --json")).out;
    assert_eq!(search("--recall 1"), search("--exact"));
    assert_eq!(search("--recall 0.9"), search("--exact"), "small collections are searched exactly");
}
