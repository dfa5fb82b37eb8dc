//! The store for S3 against the server: its promises, with and without faults, and what it says when it cannot.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use platform::World;
use platform::object_store::conformance::{conformance, conformance_but_for_equal_bytes};
use platform::object_store::retry::RetryPolicy;
use platform::object_store::{ObjectStore, PutOutcome, RemoteOptions, StoreError, StoreErrorKind, StoreUrl, open_url};
use vectra_s3server::{ACCESS_KEY, Faults, SECRET_KEY, Server};

/// Waits that a test can afford.
const QUICK: RetryPolicy =
    RetryPolicy { first_wait: Duration::from_millis(2), longest_wait: Duration::from_millis(20), give_up_after: Duration::from_secs(20) };

fn server() -> Server {
    let server = Server::start();
    server.create_bucket("bucket");
    server
}

fn options(server: &Server) -> RemoteOptions {
    RemoteOptions { variables: server.variables().into_iter().collect(), retry: QUICK, ..RemoteOptions::default() }
}

fn open_with(options: &RemoteOptions, url: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let url = StoreUrl::parse(url).expect("the URL is one of a store").expect("the URL is well formed");
    open_url(&url, options)
}

fn open(server: &Server, url: &str) -> Arc<dyn ObjectStore> {
    open_with(&options(server), url).unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes that differ everywhere.
fn large(len: usize) -> Bytes {
    (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn a_bucket_and_a_part_of_one_keep_every_promise_of_a_store() {
    for url in ["s3://bucket", "s3://bucket/vectra/products_20231027"] {
        let server = server();
        server.set_page_len(3);
        conformance(&*open(&server, url));
    }
}

#[test]
fn every_promise_holds_while_requests_fail() {
    for seed in 0..6 {
        let server = server();
        server.set_page_len(5);
        let store = open(&server, "s3://bucket/x");
        server.set_faults(Faults {
            seed,
            unavailable: 15,
            too_many: 10,
            lost_reply: 15,
            truncated_body: 10,
            slow_body: 10,
            ..Faults::default()
        });
        conformance_but_for_equal_bytes(&*store);
        assert!(server.injected() > 5, "seed {seed}: {} faults", server.injected());
    }
}

#[test]
fn two_places_in_a_bucket_do_not_see_each_other() {
    let server = server();
    let (one, other) = (open(&server, "s3://bucket/a/b"), open(&server, "s3://bucket/a/bc"));
    one.put_if_absent("x", vec![Bytes::from_static(b"1")]).unwrap();
    assert_eq!(other.list("").unwrap(), []);
    assert_eq!(server.keys("bucket"), ["a/b/x"]);
    assert_eq!(one.describe(), "s3://bucket/a/b");
}

#[test]
fn a_put_whose_reply_is_lost_is_done_and_known_to_be_ours() {
    let server = server();
    let store = open(&server, "s3://bucket");
    for seed in 0..40 {
        server.set_faults(Faults { seed, lost_reply: 500, ..Faults::default() });
        let (key, body) = (format!("k{seed}"), large(100_000));
        assert_eq!(store.put_if_absent(&key, vec![body.clone()]).unwrap(), PutOutcome::Created, "seed {seed}");
        assert_eq!(store.put_if_absent(&key, vec![large(99_999)]).unwrap(), PutOutcome::Exists, "seed {seed}");
        assert!(store.get(&key).unwrap() == body, "seed {seed}");
    }
    assert!(server.injected() > 20);
}

#[test]
fn a_large_body_goes_in_parts_and_is_taken_away_when_it_fails() {
    let server = server();
    let store = open(&server, "s3://bucket");
    let body = large(20 << 20);
    let _ = server.take_requests();
    assert_eq!(store.put_unique("large", vec![body.slice(..3), body.slice(3..)]).unwrap(), PutOutcome::Created);
    let parts = server.take_requests().into_iter().filter(|line| line.starts_with("PUT") && line.contains("partNumber=")).count();
    assert_eq!(parts, 3, "parts of 8 MiB");
    assert!(store.get_range("large", 0..20 << 20).unwrap() == body);
    assert_eq!(store.put_unique("large", vec![large(17 << 20)]).unwrap(), PutOutcome::Exists);
    assert_eq!(store.head("large").unwrap(), Some(20 << 20));

    server.set_faults(Faults { seed: 3, unavailable: 80, lost_reply: 80, ..Faults::default() });
    for number in 0..4 {
        let key = format!("spoilt-{number}");
        assert_eq!(store.put_unique(&key, vec![body.clone()]).unwrap(), PutOutcome::Created, "{key}");
    }
    server.set_faults(Faults::default());
    for number in 0..4 {
        assert!(store.get(&format!("spoilt-{number}")).unwrap() == body);
    }
    // A lost reply to the beginning leaves an upload of which nobody knows the name; nothing else may.
    let begun = server.take_requests().into_iter().filter(|line| line.starts_with("POST") && line.contains("?uploads")).count();
    assert!(server.open_uploads() <= begun - 4, "{} uploads are left of {begun}", server.open_uploads());
    assert_eq!(server.keys("bucket"), ["large", "spoilt-0", "spoilt-1", "spoilt-2", "spoilt-3"]);
}

#[test]
fn an_upload_that_is_refused_half_way_is_aborted_and_can_be_made_again() {
    let server = server();
    let store = open(&server, "s3://bucket");
    server.set_faults(Faults { parts_forbidden_from: 3, ..Faults::default() });
    let error = store.put_unique("k", vec![large(40 << 20)]).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::AccessDenied, "{error}");
    assert_eq!((server.open_uploads(), server.keys("bucket")), (0, Vec::new()));
    server.set_faults(Faults::default());
    assert_eq!(store.put_unique("k", vec![large(40 << 20)]).unwrap(), PutOutcome::Created);
    assert_eq!(server.open_uploads(), 0);
}

#[test]
fn what_can_never_work_is_said_at_once_and_names_the_bucket() {
    let server = server();
    let clock = World::real().clock;
    let before = clock.monotonic_micros();
    let error = open_with(&options(&server), "s3://no-such-bucket/x").unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("there is no bucket \"no-such-bucket\""), "{error}");

    let mut wrong = options(&server);
    wrong.variables.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "another-secret".to_owned());
    let error = open_with(&wrong, "s3://bucket/x").unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::AccessDenied, "{error}");
    assert!(error.to_string().contains("access to the bucket \"bucket\" is denied"), "{error}");
    assert!(!error.to_string().contains("another-secret"), "{error}");

    let mut nobody = options(&server);
    nobody.variables.remove("AWS_SECRET_ACCESS_KEY");
    assert!(open_with(&nobody, "s3://bucket/x").is_err(), "half of the credentials");
    let with_password = RemoteOptions { endpoint: Some("http://user:hidden-word@host".to_owned()), ..options(&server) };
    let error = open_with(&with_password, "s3://bucket/x").unwrap_err();
    assert!(!error.to_string().contains("hidden-word"), "{error}");
    assert!(clock.monotonic_micros() - before < 10_000_000, "none of it is waited for");
}

#[test]
fn a_server_that_is_not_there_is_unreachable_in_time() {
    // A port that was free a moment ago, and has nobody behind it now.
    let endpoint = Server::start().endpoint();
    let retry = RetryPolicy { give_up_after: Duration::from_secs(1), ..QUICK };
    let options = RemoteOptions { endpoint: Some(endpoint.clone()), retry, ..options(&server()) };
    let error = open_with(&options, "s3://bucket/x").unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreachable, "{error}");
    assert!(error.message.contains(&format!("cannot reach {endpoint}")) && error.message.contains("attempts: "), "{error}");
}

#[test]
fn an_address_given_goes_before_the_variables() {
    let (server, other) = (server(), Server::start());
    let options = RemoteOptions { endpoint: Some(other.endpoint()), ..options(&server) };
    assert_eq!(open_with(&options, "s3://bucket").unwrap_err().kind, StoreErrorKind::NotFound, "the other server has no bucket");
}

#[test]
fn a_stale_list_lacks_the_newest_and_nothing_else() {
    let server = server();
    let store = open(&server, "s3://bucket");
    for key in ["a", "b", "c"] {
        store.put_if_absent(key, vec![Bytes::from_static(b"1")]).unwrap();
    }
    server.set_faults(Faults { stale_list: 1, ..Faults::default() });
    let keys: Vec<String> = store.list("").unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(store.head("c").unwrap(), Some(1), "what is asked for by name is there");
}

#[test]
fn a_secret_is_shown_by_nothing() {
    let server = server();
    let store = open(&server, "s3://bucket");
    let shown = [format!("{store:?}"), format!("{:?}", options(&server)), store.describe()];
    assert!(shown.iter().all(|text| !text.contains(SECRET_KEY)), "{shown:?}");
}

#[test]
fn dates_of_objects_are_those_of_the_server() {
    let server = server();
    let store = open(&server, "s3://bucket");
    store.put_if_absent("a", vec![Bytes::from_static(b"1")]).unwrap();
    let (now, listed) = (World::real().clock.wall_micros(), store.list("").unwrap());
    assert!(now.abs_diff(listed[0].modified_micros) < 60_000_000, "{listed:?}");
}

/// Against a server that is not ours; `tests/s3/run.sh` starts one.
#[test]
#[expect(clippy::disallowed_macros, reason = "a test that was left out must say so")]
fn every_promise_holds_on_another_server() {
    let Some(endpoint) = platform::process::env("VECTRA_TEST_S3") else {
        println!("left out: VECTRA_TEST_S3 names no server");
        return;
    };
    let variables = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let options = RemoteOptions { endpoint: Some(endpoint), variables, ..RemoteOptions::default() };
    // A place of its own: the suite begins with an empty store.
    let place = format!("s3://my-dr-bucket-us-west-2/conformance-{:016x}", World::real().random.u64());
    let store = open_with(&options, &place).unwrap_or_else(|error| panic!("{error}"));
    conformance(&*store);
    let body = large(20 << 20);
    assert_eq!(store.put_unique("large", vec![body.clone()]).unwrap(), PutOutcome::Created);
    assert!(store.get("large").unwrap() == body);
    let error = open_with(&options, "s3://no-such-bucket/x").unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NotFound, "{error}");
}
