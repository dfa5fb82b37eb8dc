//! Backups in buckets by the real program: the product's command word for word, faults on the way, and what cannot work.

use crate::place::{Place, Ran};
use platform::World;
use vectra_s3server::{ACCESS_KEY, Faults, SECRET_KEY, Server};

const BUCKET: &str = "my-dr-bucket-us-west-2";
/// The product's command, word for word.
const BACKUP: &str = "vectra-cli collections backup products \\
    --destination s3://my-dr-bucket-us-west-2/vectra/products_$(date +%Y%m%d) \\
    --snapshot-id products_$(date +%Y%m%d) \\
    --wait";
const SOURCE: &str = "SOURCE=s3://my-dr-bucket-us-west-2/vectra/products_$(date +%Y%m%d)";
/// The address of another server, of the script that runs the tests against one.
const OTHER_SERVER: &str = "VECTRA_TEST_S3";

fn server() -> Server {
    let server = Server::start();
    server.create_bucket(BUCKET);
    server
}

#[track_caller]
fn shows_no_secret(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains(SECRET_KEY) && !text.contains(ACCESS_KEY), "{text}");
    }
}

/// Backs up, checks, drops, restores and searches; the same answers before and after.
fn round_trip(place: &Place, variables: &[(String, String)]) {
    let ok = |script: &str| {
        let ran = place.script_with(variables, "bash", script).exits(0);
        shows_no_secret(&ran);
        ran
    };
    let search = format!("search products --vectors {} --top 10 --json", Place::real_queries());
    let before = place.ok(&search);
    ok(BACKUP);
    let verified = ok(&format!("{SOURCE}; vectra collections backup verify --source $SOURCE --level index --json")).json().remove(0);
    assert_eq!(verified["ok"], true, "{verified}");
    let listed = ok(&format!("{SOURCE}; vectra collections backup list --source $SOURCE --json")).json().remove(0);
    assert_eq!(listed["snapshots"][0]["points"], 5_000, "{listed}");
    place.ok("collections drop products --purge");
    let restored = ok(&format!("{SOURCE}; vectra collections restore products --source $SOURCE --wait --json")).json().remove(0);
    assert_eq!(restored["index"], "kept", "{restored}");
    assert_eq!(place.ok(&search).out, before.out);
}

#[test]
fn the_command_of_the_product_backs_up_to_a_bucket_and_a_restore_gives_the_same_answers() {
    let (place, server) = (Place::new(), server());
    place.import_real_points();
    round_trip(&place, &server.variables());
    // The same again is refused by its name, and sends nothing.
    let _ = server.take_requests();
    place.script_with(&server.variables(), "sh", BACKUP).exits(4);
    assert!(server.take_requests().iter().all(|line| !line.starts_with("PUT") && !line.starts_with("POST")));
}

#[test]
fn a_backup_over_a_bad_line_is_as_good_as_any() {
    let (place, server) = (Place::new(), server());
    place.import_real_points();
    server.set_page_len(4);
    server.set_faults(Faults {
        seed: 11,
        unavailable: 15,
        too_many: 5,
        lost_reply: 15,
        truncated_body: 10,
        slow_body: 5,
        ..Faults::default()
    });
    round_trip(&place, &server.variables());
    assert!(server.injected() > 0, "some requests failed");
}

#[test]
fn a_backup_that_was_refused_half_way_goes_on_without_sending_again() {
    let (place, server) = (Place::new(), server());
    place.import_real_points();
    // The records that an attempt begins with are small, and put again to see that they are there.
    let is_data = |line: &String| line.starts_with("PUT") && (line.contains("/objects/") || line.contains("/log/"));
    let data = |requests: Vec<String>| -> Vec<String> { requests.into_iter().filter(is_data).collect() };
    let line = format!("collections backup products --destination s3://{BUCKET}/x --snapshot-id one --wait");
    server.set_faults(Faults { puts_forbidden_from: 9, ..Faults::default() });
    let refused = place.run_with(&server.variables(), &line).exits(7);
    shows_no_secret(&refused);
    assert!(refused.err.contains(BUCKET), "{}", refused.err);
    let mut first = data(server.take_requests());
    // The last one was refused.
    first.pop();
    assert!(!first.is_empty(), "some data was sent");
    server.set_faults(Faults::default());
    place.run_with(&server.variables(), &line).exits(0);
    let second = data(server.take_requests());
    assert!(!second.is_empty() && first.iter().all(|line| !second.contains(line)), "first {first:?}, then {second:?}");
    place.run_with(&server.variables(), &format!("collections backup verify --source s3://{BUCKET}/x --level restore")).exits(0);
}

#[test]
fn an_incremental_backup_finds_its_parent_in_another_part_of_the_bucket() {
    let (place, server) = (Place::new(), server());
    let run = |line: &str| place.run_with(&server.variables(), line).exits(0);
    place.import_small("docs", 1, 200);
    run(&format!("collections backup docs --destination s3://{BUCKET}/monday --snapshot-id monday --wait"));
    place.import_small("docs", 201, 10);
    let parent = format!("--parent s3://{BUCKET}/monday");
    run(&format!("collections backup docs --destination s3://{BUCKET}/tuesday --snapshot-id tuesday {parent} --wait"));
    // By the name that the backup has of it.
    run(&format!("collections restore docs --source s3://{BUCKET}/tuesday --new-collection-name again --wait"));
    assert_eq!(place.ok("collections count again").out, place.ok("collections count docs").out);
}

#[test]
fn an_address_can_be_given_on_the_command_line() {
    let (place, server) = (Place::new(), server());
    let variables: Vec<_> = server.variables().into_iter().filter(|(name, _)| name != "AWS_ENDPOINT_URL").collect();
    let endpoint = server.endpoint();
    place.import_small("docs", 1, 20);
    let line = format!("collections backup docs --destination s3://{BUCKET}/x --snapshot-id one --wait --endpoint {endpoint}");
    place.run_with(&variables, &line).exits(0);
    place.run_with(&variables, &format!("--endpoint {endpoint} collections backup list --source s3://{BUCKET}/x")).exits(0);
    let refused = place.run_with(&variables, "collections backup list --source s3://bucket --endpoint http://me:hidden@host").exits(2);
    assert!(!refused.err.contains("hidden"), "{}", refused.err);
}

#[test]
fn what_cannot_work_is_said_in_time_with_the_bucket_and_without_a_secret() {
    let (place, server) = (Place::new(), server());
    place.import_small("docs", 1, 20);
    let clock = World::real().clock;
    let began = clock.monotonic_micros();
    let with = |name: &str, value: &str| {
        let mut variables = server.variables();
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.to_owned()));
        variables
    };
    let good = server.variables();
    let wrong_secret = with("AWS_SECRET_ACCESS_KEY", "another-secret-that-is-wrong");
    let stranger = with("AWS_ACCESS_KEY_ID", "somebody-else");
    let backup = |place: &str| format!("collections backup docs --destination s3://{place} --snapshot-id one --wait");
    let look = |place: &str| format!("collections backup list --source s3://{place}");
    let restore = |place: &str| format!("collections restore docs --source s3://{place} --new-collection-name other");
    for line in [backup, look, restore] {
        for (variables, place_there, says) in [
            (&good, "no-such-bucket/x".to_owned(), "there is no bucket \"no-such-bucket\""),
            (&wrong_secret, format!("{BUCKET}/x"), BUCKET),
            (&stranger, format!("{BUCKET}/x"), BUCKET),
        ] {
            for json in ["", " --json"] {
                let ran = place.run_with(variables, &format!("{}{json}", line(&place_there))).exits(7);
                assert!(ran.err.replace("\\\"", "\"").contains(says), "{}", ran.err);
                shows_no_secret(&ran);
                assert!(!ran.err.contains("another-secret-that-is-wrong"), "{}", ran.err);
            }
        }
    }
    let refused = place.run_with(&good, &backup("key:hidden@bucket/x")).exits(2);
    assert!(!refused.err.contains("hidden"), "{}", refused.err);
    assert!(clock.monotonic_micros() - began < 30_000_000, "all of them together");
    place.run_with(&good, &look(&format!("{BUCKET}/nothing-here"))).exits(3);
}

/// Against a server that is not ours; `tests/s3/run.sh` starts one.
#[test]
#[expect(clippy::disallowed_macros, reason = "a test that was left out must say so")]
fn the_command_of_the_product_works_on_another_server() {
    let Some(endpoint) = platform::process::env(OTHER_SERVER) else {
        println!("left out: {OTHER_SERVER} names no server");
        return;
    };
    let variables = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("AWS_ENDPOINT_URL", endpoint.as_str())];
    let place = Place::new();
    place.import_real_points();
    round_trip(&place, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
