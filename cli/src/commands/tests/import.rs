//! Import and export: what is taken, what is refused, and where one goes on.

use crate::commands::testing::{Place, payload, vectors};
use engine::ErrorKind;
use std::collections::BTreeSet;

fn sorted_lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_export_imported_again_is_the_same_export() {
    for (distance, datatype) in [("cosine", "f32"), ("dot", "f16"), ("euclid", "f32")] {
        let place = Place::new();
        let (file, texts) = (place.npy("v.npy", &vectors(250, 16)), place.write("p.jsonl", payload(250).as_bytes()));
        place.ok(&format!("collections create a --dim 16 --distance {distance} --datatype {datatype}"));
        place.ok(&format!("import a --vectors {file} --payload {texts} --batch 64"));
        place.ok("points delete a --ids 3,77,249");
        place.ok(&format!("export a --jsonl {}", place.file("a.jsonl")));
        place.ok(&format!("collections create b --dim 16 --distance {distance} --datatype {datatype}"));
        place.ok(&format!("import b --jsonl {}", place.file("a.jsonl")));
        let again = place.ok("export b --jsonl -").out;
        assert_eq!(sorted_lines(&place.read("a.jsonl")).len(), 247);
        assert_eq!(sorted_lines(&place.read("a.jsonl")), sorted_lines(&again), "{distance} {datatype}");
    }
}

#[test]
fn every_durable_batch_has_its_line_and_the_end_has_one() {
    let place = Place::new();
    let file = place.npy("v.npy", &vectors(25, 4));
    place.ok("collections create a --dim 4");
    let lines = place.ok(&format!("import a --vectors {file} --batch 10 --json")).json();
    let rows: Vec<_> =
        lines.iter().map(|line| (line["event"].as_str().unwrap(), line["points"].as_u64(), line["last_row"].as_u64())).collect();
    let expected = [("ack", Some(10), Some(9)), ("ack", Some(10), Some(19)), ("ack", Some(5), Some(24)), ("done", Some(25), Some(24))];
    assert_eq!(rows, expected);
    assert_eq!((&lines[1]["first_row"], &lines[3]["first_row"]), (&10.into(), &0.into()));
    let lsns: Vec<_> = lines.iter().map(|line| line["lsn"].as_u64().unwrap()).collect();
    assert!(lsns[0] < lsns[1] && lsns[1] < lsns[2] && lsns[2] == lsns[3], "{lsns:?}");
    let times: BTreeSet<_> = lines.iter().map(|line| line["commit_time"].as_str().unwrap()).collect();
    assert_eq!(times.len(), 3, "commit times rise");
}

#[test]
fn the_same_import_again_changes_nothing() {
    let place = Place::new();
    let (file, texts) = (place.npy("v.npy", &vectors(60, 4)), place.write("p.jsonl", payload(60).as_bytes()));
    place.ok("collections create a --dim 4");
    let line = format!("import a --vectors {file} --payload {texts} --batch 16");
    place.ok(&line);
    let before = place.ok("export a --jsonl -").out;
    place.ok(&line);
    assert_eq!(place.ok("collections count a").out, "60\n");
    assert_eq!(sorted_lines(&place.ok("export a --jsonl -").out), sorted_lines(&before));
}

#[test]
fn ids_come_from_the_row_or_from_the_file() {
    let place = Place::new();
    let file = place.npy("v.npy", &vectors(4, 4));
    place.ok("collections create rows --dim 4");
    place.ok(&format!("import rows --vectors {file} --from-row 2"));
    assert_eq!(place.ok("points get rows --ids 0,2,3 -q").json().len(), 2);
    let ids = place.ids("i.npy", &[40, 30, 20, 10]);
    place.ok("collections create ids --dim 4");
    place.ok(&format!("import ids --vectors {file} --ids {ids} --from-row 1"));
    let found: Vec<_> = place.ok("points get ids --ids 10,20,30,40").json().iter().map(|point| point["id"].as_u64().unwrap()).collect();
    assert_eq!(found, [10, 20, 30]);
}

#[test]
fn a_bad_row_is_named_and_its_batch_is_not_written() {
    let place = Place::new();
    let mut rows = vectors(30, 4);
    rows[17][2] = f32::NAN;
    let file = place.npy("v.npy", &rows);
    place.ok("collections create a --dim 4");
    let ran = place.run(&format!("import a --vectors {file} --batch 5"));
    let failure = ran.failure();
    assert_eq!((failure.kind, ran.exit()), (ErrorKind::InvalidInput, 1));
    assert!(failure.message.contains("row 17"), "{failure}");
    assert!(
        failure.hint.as_deref().is_some_and(|hint| hint.contains("rows 0 to 14 are stored") && hint.contains("--from-row 15")),
        "{failure:?}"
    );
    assert_eq!(place.ok("collections count a").out, "15\n");
    place.ok("collections create b --dim 4");
    let ran = place.run(&format!("import b --vectors {file} --batch 100"));
    assert!(ran.failure().hint.as_deref().is_some_and(|hint| hint.contains("nothing was written")), "{:?}", ran.failure());
    assert_eq!(place.ok("collections list").out, "a (contains vectors)\nb (empty)\n");
    place.ok(&format!("import a --vectors {file} --from-row 18"));
    assert_eq!(place.ok("collections count a").out, "27\n");
}

#[test]
fn a_number_that_the_datatype_cannot_hold_is_named_by_its_row() {
    let place = Place::new();
    let mut rows = vec![vec![1.0, 255.0], vec![0.0, 7.0], vec![3.0, 256.0]];
    let file = place.npy("v.npy", &rows);
    place.ok("collections create a --dim 2 --datatype u8");
    assert!(place.run(&format!("import a --vectors {file}")).failure().message.contains("row 2"));
    rows.truncate(2);
    place.ok(&format!("import a --vectors {}", place.npy("w.npy", &rows)));
    assert_eq!(place.ok("points get a --ids 0 --with-vector").out, "{\"id\":0,\"vector\":[1.0,255.0],\"payload\":null}\n");
}

#[test]
fn dimension_and_repeated_ids_are_refused() {
    let place = Place::new();
    let file = place.npy("v.npy", &vectors(6, 4));
    place.ok("collections create a --dim 5");
    let ran = place.run(&format!("import a --vectors {file}"));
    assert_eq!(ran.failure().expected.as_deref(), Some("5"), "{:?}", ran.failure());
    place.ok("collections create b --dim 4");
    let ids = place.ids("i.npy", &[1, 2, 3, 4, 2, 6]);
    let ran = place.run(&format!("import b --vectors {file} --ids {ids} --batch 6"));
    assert!(ran.failure().message.contains("row 4") && ran.failure().message.contains("point 2"), "{}", ran.failure());
    assert_eq!(place.ok("collections list").out, "a (empty)\nb (empty)\n");
    let short = place.ids("short.npy", &[1, 2]);
    assert_eq!(place.run(&format!("import b --vectors {file} --ids {short}")).exit(), 1);
    assert_eq!(place.run(&format!("import b --vectors {file} --from-row 7")).exit(), 1);
    place.ok(&format!("import b --vectors {file} --from-row 6"));
}

#[test]
fn a_bad_line_is_named_and_its_batch_is_not_written() {
    let place = Place::new();
    place.ok("collections create a --dim 2");
    let good = "{\"id\":1,\"vector\":[1,2]}\n\n{\"id\":2,\"vector\":[1,2]}\n";
    for (bad, what) in [
        ("{\"id\":3,\"vector\":[1]}", "dimension"),
        ("{\"vector\":[1,2]}", "id"),
        ("{\"id\":3,\"vector\":{\"x\":[1,2]}}", "name"),
        ("{\"id\":3,\"vector\":[1,2],\"payload\":{\"a\":1,\"a\":2}}", "a"),
        ("{\"id\":2,\"vector\":[1,2]}", "twice"),
        ("nonsense", "valid"),
    ] {
        let file = place.write("p.jsonl", format!("{good}{bad}\n").as_bytes());
        let ran = place.run(&format!("import a --jsonl {file}"));
        assert_eq!(ran.failure().kind, ErrorKind::InvalidInput, "{bad}");
        assert!(ran.failure().message.contains("line 4") && ran.failure().message.contains(what), "{bad}: {}", ran.failure());
        assert_eq!(place.ok("collections count a").out, "0\n", "{bad}");
    }
    let file = place.write("p.jsonl", good.as_bytes());
    place.ok(&format!("import a --jsonl {file} --from-row 1"));
    assert_eq!(place.ok("collections count a").out, "1\n");
}

#[test]
fn payload_lines_must_be_as_many_as_the_rows() {
    let place = Place::new();
    let file = place.npy("v.npy", &vectors(6, 4));
    place.ok("collections create a --dim 4");
    let short = place.write("short.jsonl", payload(5).as_bytes());
    let ran = place.run(&format!("import a --vectors {file} --payload {short} --batch 2"));
    assert!(ran.failure().message.contains("row 5 has no payload line"), "{}", ran.failure());
    let long = place.write("long.jsonl", payload(7).as_bytes());
    let ran = place.run(&format!("import a --vectors {file} --payload {long}"));
    assert!(ran.failure().message.contains("line 7"), "{}", ran.failure());
}

#[test]
fn one_vector_is_replaced_alone_and_a_whole_point_whole() {
    let place = Place::new();
    place.ok("collections create a --vector x:2:dot --vector y:2:dot");
    let line = "{\"id\":0,\"vector\":{\"x\":[1,2],\"y\":[3,4]},\"payload\":{\"k\":1}}\n";
    place.ok(&format!("import a --jsonl {}", place.write("a.jsonl", line.as_bytes())));
    let file = place.npy("v.npy", &[vec![5.0, 6.0], vec![7.0, 8.0]]);
    assert_eq!(place.run(&format!("import a --vectors {file}")).exit(), 2, "several vectors, and none is named");
    place.ok(&format!("import a --vectors {file} --using y"));
    let points = place.ok("points get a --ids 0,1 --with-vector").out;
    let expected = "{\"id\":0,\"vector\":{\"x\":[1.0,2.0],\"y\":[5.0,6.0]},\"payload\":{\"k\":1}}\n{\"id\":1,\"vector\":{\"y\":[7.0,8.0]},\"payload\":null}\n";
    assert_eq!(points, expected);
    let whole = "{\"id\":0,\"vector\":{\"x\":[9,9]}}\n";
    place.ok(&format!("points upsert a --jsonl {}", place.write("b.jsonl", whole.as_bytes())));
    assert_eq!(place.ok("points get a --ids 0 --with-vector").out, "{\"id\":0,\"vector\":{\"x\":[9.0,9.0]},\"payload\":null}\n");
}

#[test]
fn a_missing_collection_or_file_is_said_with_its_exit_code() {
    let place = Place::new();
    place.ok("collections create a --dim 4");
    let file = place.npy("v.npy", &vectors(2, 4));
    assert_eq!(place.run(&format!("import nothing --vectors {file}")).exit(), 3);
    assert_eq!(place.run(&format!("import a --vectors {}", place.file("missing.npy"))).exit(), 1);
    assert_eq!(place.run(&format!("import a --vectors {}", place.write("v.txt", b"1"))).exit(), 2);
    assert_eq!(place.run("export nothing --jsonl -").exit(), 3);
}

#[test]
fn an_export_never_replaces_what_is_no_file() {
    let place = Place::new();
    place.ok("collections create a --dim 4");
    assert_eq!(place.run(&format!("export a --jsonl {}", place.path.display())).exit(), 4);
    place.write("old.jsonl", b"old");
    place.ok(&format!("export a --jsonl {}", place.file("old.jsonl")));
    assert_eq!(place.read("old.jsonl"), "");
}
