//! The file of a snapshot as a client sends it: a form, a tar in it, an archive in that; recovered in place of a collection, or refused.
//!
//! Input: the body of the request. The sums of the tar's headers are made right first.

use std::sync::OnceLock;

use platform::http::Method;

use super::Target;
use super::served::Server;
use crate::fixup;

/// See the top of this file.
pub const TARGET: Target = Target { name: "upload", run, seeds, words: WORDS };

const BOUNDARY: &str = "b";
const WORDS: &[&str] = &[
    "--b",
    "\r\n--b\r\n",
    "\r\n--b--\r\n",
    "\r\n\r\n",
    "Content-Disposition: form-data; name=\"snapshot\"",
    "ustar\x0000",
    "../../escaped",
    "/escaped",
    "77777777777",
    "00000000000\0",
];

fn run(input: &[u8]) -> bool {
    let mut body = input.to_vec();
    fixup::tar::repair(&mut body);
    let server = Server::with_points();
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = server.ask(Method::Post, "/collections/c/snapshots/upload", &[("content-type", &content_type)], &body);
    server.check_restarts();
    answer.status == 200
}

/// Gives the file of a new snapshot of a collection.
fn tar_of(collection: &str) -> Vec<u8> {
    let server = Server::with_points();
    let made = server.ask(Method::Post, &format!("/collections/{collection}/snapshots"), &[], b"");
    let made: serde_json::Value = serde_json::from_slice(&made.body).expect("an answer is JSON");
    let name = made["result"]["name"].as_str().expect("a snapshot has a name");
    server.ask(Method::Get, &format!("/collections/{collection}/snapshots/{name}"), &[], b"").body
}

fn seeds() -> Vec<Vec<u8>> {
    static TARS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let form = |headers: &str, tar: &[u8]| {
        let head = format!("--{BOUNDARY}\r\n{headers}\r\n\r\n");
        [head.as_bytes(), tar, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
    };
    let [same, other] = TARS.get_or_init(|| [tar_of("c"), tar_of("m")]);
    vec![
        form("Content-Disposition: form-data; name=\"snapshot\"", same),
        form("content-type: application/x-tar\r\ncontent-disposition: form-data; name=snapshot; filename=\"c.tar\"", other),
    ]
}
