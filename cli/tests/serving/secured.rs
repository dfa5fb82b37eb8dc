//! What a configured server does not let others do: read elsewhere, and touch other collections than a key's own.

use super::{Place, text};
use platform::http::Method;
use serde_json::json;

#[test]
fn restores_and_drills_read_from_configured_places_alone() {
    let place = Place::new();
    place.ok("collections create docs --dim 2 --distance dot");
    for dir in ["allowed/docs", "other"] {
        place.ok(&format!("collections backup docs --destination {dir} --snapshot-id one --wait"));
    }
    place.write("vectra.toml", "[restore]\nsources = [\"allowed\"]\n");
    let _server = place.serve_by(place.command("serve --listen 127.0.0.1:0 --config vectra.toml"));
    place.ok("collections restore docs --source allowed/docs --new-collection-name back --wait");
    for line in [
        "collections restore docs --source other --new-collection-name stolen --wait",
        "collections restore docs --source allowed/../other --new-collection-name stolen --wait",
        "collections restore docs --source allowed/docs --parent other --new-collection-name stolen --wait",
        "restore docs --source other --to-time now --new-collection-name stolen --wait",
        "collections branch docs --name stolen --source other",
        "drill schedule docs --source other --every 1d",
    ] {
        let refused = place.run(line);
        assert_eq!(refused.status.code(), Some(7), "{line}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("does not restore from"), "{line}: {}", text(&refused.stderr));
    }
    assert_eq!(place.run("collections count stolen").status.code(), Some(3));
}

#[test]
fn a_key_of_a_collection_is_for_its_points_alone() {
    let place = Place::new();
    place.ok("collections create docs --dim 2 --distance dot");
    place.ok("collections create other --dim 2 --distance dot");
    place.write("admin", "boss\n");
    place.write("docs.key", "reader of docs\n");
    let file = "[keys]\nadmin_file = \"admin\"\n[[keys.collection]]\ncollection = \"docs\"\nfile = \"docs.key\"\nread_only = true\n";
    place.write("vectra.toml", file);
    let server = place.serve_by(place.command("serve --listen 127.0.0.1:0 --config vectra.toml"));
    let ask = |method, path: &str, key: &str| {
        let headers = [("content-type", "application/json"), ("api-key", key)];
        server.client.send(method, path, &headers, json!({}).to_string().as_bytes()).expect("the server answers").status
    };
    assert_eq!(ask(Method::Post, "/collections/docs/points/count", "reader of docs"), 200);
    assert_eq!(ask(Method::Post, "/collections/other/points/count", "reader of docs"), 403);
    assert_eq!(ask(Method::Delete, "/collections/docs", "reader of docs"), 403);
    assert_eq!(ask(Method::Post, "/collections/docs/points/count", "reader of doc"), 401);
    assert_eq!(ask(Method::Post, "/collections/other/points/count", "boss"), 200);
}
