//! Through TLS. The certificate beside this file is for `localhost` and 127.0.0.1, valid for a hundred years and believed by nobody
//! but these tests; it was made by
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout localhost.key.pem -out localhost.pem -days 36500
//! -subj "/CN=localhost of the tests" -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.

use super::super::client::{Client, ClientOptions};
use super::*;

const CERTIFICATE: &[u8] = include_bytes!("localhost.pem");
const KEY: &[u8] = include_bytes!("localhost.key.pem");

fn identity() -> TlsIdentity {
    TlsIdentity { certificates_pem: CERTIFICATE.to_vec(), key_pem: KEY.to_vec() }
}

fn client(door: &HttpServer, ca_pem: Option<&[u8]>) -> Client {
    let options = ClientOptions { ca_pem: ca_pem.map(<[u8]>::to_vec), ..ClientOptions::default() };
    Client::new(&format!("https://{}", door.local_address()), options).unwrap()
}

#[test]
fn requests_come_through_tls_and_the_handler_knows() {
    let (door, _script, _strings) = stand(ServeOptions { tls: Some(identity()), ..patient() });
    let asked = client(&door, Some(CERTIFICATE));
    let head = asked.send(Method::Get, "/head", &[], &[]).unwrap().into_whole(1000).unwrap();
    assert!(String::from_utf8(head).unwrap().starts_with("GET /head  true\n"));
    let peers: Vec<_> = (0..3).map(|_| asked.send(Method::Get, "/peer", &[], &[]).unwrap().into_whole(100).unwrap()).collect();
    assert!(peers.iter().all(|peer| *peer == peers[0]), "one connection serves them all");
    let long = vec![7; 900_000];
    assert_eq!(asked.send(Method::Post, "/echo", &[], &long).unwrap().into_whole(1 << 20).unwrap(), long);
    let streamed = asked.send(Method::Get, "/download?len=5000000", &[], &[]).unwrap();
    assert_eq!(streamed.into_whole(1 << 30).unwrap().len(), 5_000_000);
    assert!(door.stop(PATIENCE));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_believed() {
    let (door, script, _strings) = stand(ServeOptions { tls: Some(identity()), ..patient() });
    let refused = client(&door, None).send(Method::Get, "/echo", &[], &[]).unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert_eq!(script.handled.load(Ordering::SeqCst), 0);
}

#[test]
fn what_is_no_handshake_ends_and_the_door_goes_on() {
    let soon = Duration::from_millis(60);
    let (door, _script, _strings) = stand(ServeOptions { tls: Some(identity()), head_timeout: soon, ..patient() });
    for begin in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x00", b""] {
        let mut line = Line::new(door.local_address());
        line.send(begin);
        while line.fill().is_ok() {}
    }
    assert_eq!(client(&door, Some(CERTIFICATE)).send(Method::Get, "/echo", &[], &[]).unwrap().status, 200);
}

#[test]
fn certificates_and_keys_that_cannot_be_used_are_refused_before_anything_listens() {
    let broken = |certificates: &[u8], key: &[u8]| TlsIdentity { certificates_pem: certificates.to_vec(), key_pem: key.to_vec() };
    for (identity, why) in [
        (broken(b"", KEY), "there is no certificate"),
        (broken(CERTIFICATE, b""), "the private key is not a PEM key"),
        (broken(CERTIFICATE, CERTIFICATE), "the private key is not a PEM key"),
    ] {
        let (script, _strings) = script();
        let refused = serve("127.0.0.1:0", ServeOptions { tls: Some(identity), ..patient() }, script).err().unwrap();
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
