//! The same answers after a restore, on every set of kernels: same segments, same ids in the same order, through the graph.

use crate::place::Place;
use serde_json::Value;
use std::collections::BTreeSet;

const KERNELS: [&str; 4] = ["scalar", "avx2", "avx512", "neon"];

/// The kernels of this machine; the others must refuse.
fn available(place: &Place) -> Vec<&'static str> {
    let runs = |kernels: &&str| match place.run_on(kernels, "version --json").code {
        Some(0) => true,
        Some(2) => false,
        other => panic!("VECTRA_SIMD={kernels} exits {other:?}"),
    };
    let found: Vec<&str> = KERNELS.into_iter().filter(runs).collect();
    assert!(found.contains(&"scalar"), "every machine has the plain kernels: {found:?}");
    found
}

fn recall(answers: &[Value], truth: &[Value]) -> f64 {
    let ids = |line: &Value| -> BTreeSet<String> {
        line["hits"].as_array().expect("an answer has hits").iter().map(|hit| hit["id"].to_string()).collect()
    };
    assert!(!truth.is_empty() && answers.len() == truth.len());
    let found: usize = answers.iter().zip(truth).map(|(answer, truth)| ids(answer).intersection(&ids(truth)).count()).sum();
    found as f64 / truth.iter().map(|line| ids(line).len()).sum::<usize>() as f64
}

#[test]
fn a_restored_collection_gives_the_same_answers_on_all_kernels() {
    let place = Place::new();
    place.import_real_points();
    let backup = place.path("mnt/backup");
    place.ok(&format!("collections backup products --destination {backup} --snapshot-id one --wait"));
    // Rows of the tail, changed and deleted points come back too.
    place.import_small_change();
    place.ok(&format!("collections backup products --destination {backup} --snapshot-id two --wait"));
    let search = |name: &str, how: &str| format!("search {name} --vectors {} --top 10 {how} --json", Place::real_queries());
    let before = place.ok(&search("products", "--ef 128 --with-payload"));
    let info = place.ok("collections info products --json").json().remove(0);
    let kernels = available(&place);
    place.ok("collections drop products --purge");

    for (number, forced) in kernels.iter().enumerate() {
        let name = format!("restored_{number}");
        let line = format!("collections restore products --source {backup} --new-collection-name {name} --wait --json");
        let restored = place.run_on(forced, &line).exits(0).json().remove(0);
        assert_eq!((&restored["index"], &restored["snapshot_id"]), (&"kept".into(), &"two".into()));
        let after = place.ok(&format!("collections info {name} --json")).json().remove(0);
        for key in ["segments", "points", "points_with_payload", "lsn", "commit_time", "indexed_points", "tail_points", "vectors"] {
            assert_eq!(after[key], info[key], "{key} on {forced}");
        }
        assert!(after["indexed_points"].as_u64().unwrap() > 0);
        assert!(!after["segments"].as_array().unwrap().is_empty());
        assert_ne!(after["timeline"], info["timeline"]);
        for asked in &kernels {
            let answers = place.run_on(asked, &search(&name, "--ef 128 --with-payload")).exits(0);
            assert_eq!(answers.out, before.out, "restored on {forced}, asked on {asked}");
        }
    }
    let truth = place.ok(&search("restored_0", "--exact")).json();
    let found = recall(&before.json(), &truth);
    assert!(found >= 0.95, "recall@10 is {found}");
}

#[test]
fn kernels_that_this_machine_lacks_are_refused() {
    let place = Place::new();
    let found = available(&place);
    let lacking: Vec<&str> = KERNELS.into_iter().filter(|kernels| !found.contains(kernels)).collect();
    // No machine has those of two architectures.
    assert!(!lacking.is_empty());
    for kernels in lacking {
        let refused = place.run_on(kernels, "collections list").exits(2);
        assert!(refused.err.contains("not available on this machine"), "{}", refused.err);
    }
}

impl Place {
    /// Changes a few of the real points, and deletes a few.
    fn import_small_change(&self) {
        let numbers =
            |seed: usize| (0..384).map(|at| format!("{}", ((at * 31 + seed * 17) % 97) as f32 / 97.0 - 0.5)).collect::<Vec<_>>().join(",");
        let line = |id: usize| format!("{{\"id\":{id},\"vector\":[{}],\"payload\":{{\"changed\":{id}}}}}\n", numbers(id));
        let path = self.write("change.jsonl", (0..50).map(|n| line(n * 100)).collect::<String>().as_bytes());
        self.ok(&format!("import products --jsonl {path} --no-wait"));
        self.ok("points delete products --ids 1,2,3,4999 --no-wait");
    }
}
