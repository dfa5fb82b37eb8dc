//! Searches, graphs, and the benchmark.

use crate::commands::testing::{Place, payload, vectors};
use serde_json::Value;

/// 1,500 points: enough for a graph.
fn place_with_graph() -> Place {
    let place = Place::new();
    let rows = vectors(1_500, 8);
    let (file, texts) = (place.npy("v.npy", &rows), place.write("p.jsonl", payload(1_500).as_bytes()));
    place.npy("q.npy", &rows[..20]);
    place.ok("collections create a --dim 8 --distance cosine");
    place.ok(&format!("import a --vectors {file} --payload {texts} --batch 100"));
    place
}

fn ids(line: &Value) -> Vec<u64> {
    line["hits"].as_array().unwrap().iter().map(|hit| hit["id"].as_u64().unwrap()).collect()
}

#[test]
fn import_waits_for_the_graph_unless_told_not_to() {
    let place = place_with_graph();
    let info = place.ok("collections info a --json").json().remove(0);
    assert_eq!((&info["indexed_points"], &info["tail_points"], &info["segments"][0]["kind"]), (&1500.into(), &0.into(), &"graph".into()));
    assert_eq!(info["segments"][0]["blake3"].as_str().map(str::len), Some(64), "{info}");
    place.ok("collections create b --dim 8");
    place.ok(&format!("import b --vectors {} --no-wait", place.file("v.npy")));
    let info = place.ok("collections info b --json").json().remove(0);
    assert_eq!((&info["indexed_points"], &info["tail_points"]), (&0.into(), &1500.into()));
    assert_eq!(place.ok("collections optimize b --json").json()[0]["indexed_points"], 1_500);
}

#[test]
fn a_query_finds_itself_first_by_every_way() {
    let place = place_with_graph();
    let queries = place.file("q.npy");
    let mut answers = Vec::new();
    for how in ["", "--exact", "--ef 200"] {
        let lines = place.ok(&format!("search a --vectors {queries} --rows 3..6 --top 5 {how} --json")).json();
        let numbers: Vec<_> = lines.iter().map(|line| line["query"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [3, 4, 5]);
        assert!(lines.iter().zip(3..).all(|(line, row)| ids(line)[0] == row && ids(line).len() == 5), "{how}: {lines:?}");
        assert!(lines[0]["hits"][0]["payload"].is_null() && lines[0]["hits"][0]["score"].as_f64().unwrap() > 0.999);
        answers.push(lines.iter().map(ids).collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1], "a small collection is searched exactly");
    let text = place.ok(&format!("search a --vectors {queries} --rows ..1 --top 2")).out;
    assert!(text.starts_with("query 0\n   1  0  "), "{text}");
}

#[test]
fn hits_pass_the_filter_and_show_their_payload() {
    let place = place_with_graph();
    let filter = "'{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"de\"}}]}'";
    for how in ["--exact", "--ef 100"] {
        let line = format!("search a --vectors {} --rows 0..4 --filter {filter} --with-payload {how} --json", place.file("q.npy"));
        for line in place.ok(&line).json() {
            assert_eq!(line["hits"].as_array().map(Vec::len), Some(10), "{line}");
            assert!(line["hits"].as_array().unwrap().iter().all(|hit| hit["payload"]["lang"] == "de"), "{line}");
        }
    }
}

#[test]
fn queries_that_do_not_fit_are_refused() {
    let place = place_with_graph();
    let other = place.npy("other.npy", &vectors(2, 9));
    assert_eq!(place.run(&format!("search a --vectors {other}")).exit(), 1);
    assert_eq!(place.run(&format!("search a --vectors {} --rows 19..21", place.file("q.npy"))).exit(), 1);
    assert_eq!(place.run(&format!("search a --vectors {} --using title", place.file("q.npy"))).exit(), 1);
    let missing = place.run(&format!("search nothing --vectors {}", place.file("q.npy")));
    assert_eq!((missing.exit(), missing.out.as_str()), (3, ""));
}

#[test]
fn the_benchmark_prints_its_line_for_each_effort_and_leaves_nothing_behind() {
    let place = Place::new();
    let rows = vectors(1_200, 8);
    let folder = place.file("");
    place.npy("vectors.npy", &rows);
    place.npy("queries.npy", &rows[..10]);
    place.write("metric", b"l2\n");
    let nearest = |query: &Vec<f32>| {
        let distance = |row: &Vec<f32>| row.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| distance(&rows[*a]).total_cmp(&distance(&rows[*b])));
        order.truncate(10);
        order
    };
    let truth: Vec<u8> = rows[..10].iter().flat_map(nearest).flat_map(|row| (row as u32).to_le_bytes()).collect();
    let header = "{'descr': '<u4', 'fortran_order': False, 'shape': (10, 10)}";
    let head = [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    place.write("truth.npy", &[head, truth].concat());
    let lines = place.ok(&format!("bench search --data {folder} --ef 10,200 --threads 2 --json")).json();
    let keys: Vec<&str> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "name",
        "param",
        "recall",
        "qps",
        "qps_cpu",
        "p50_us",
        "p99_us",
        "build_s",
        "build_cpu_s",
        "bytes_per_vec",
        "indexed_points",
        "tail_points",
        "segments",
    ];
    assert_eq!(keys, expected);
    assert_eq!((lines.len(), &lines[1]["param"]), (2, &"ef=200".into()));
    assert!(lines[1]["recall"].as_f64().unwrap() > 0.99, "{}", lines[1]);
    assert_eq!((&lines[0]["indexed_points"], &lines[0]["tail_points"]), (&1200.into(), &12.into()));
    let left = platform::World::real().fs.list(&place.data()).unwrap();
    assert!(left.is_empty(), "{left:?}");
    place.write("metric", b"hamming");
    assert_eq!(place.run(&format!("bench search --data {folder}")).exit(), 1);
}
