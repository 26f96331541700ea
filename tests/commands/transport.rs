//! TLS as a client sees it: the certificate it trusts, a renewed one after SIGHUP, and what a start refuses.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::database::Engine;
use crate::process::{PATIENCE, Server, Tongjie, told};

/// An authority of one test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    /// Writes a certificate for localhost and its key where the server looks for them.
    fn write(&self, tongjie: &Tongjie) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        fs::write(tongjie.file("node.pem"), certificate.pem()).expect("written");
        fs::write(tongjie.file("node.key"), key.serialize_pem()).expect("written");
    }

    /// One request by TLS, trusting this authority alone.
    fn get(&self, address: &str, path: &str) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.0.der().to_vec())).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut stream = StreamOwned::new(client, TcpStream::connect(address)?);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

fn with_tls(tongjie: &Tongjie) -> Command {
    let mut command = tongjie.command(&["serve"]);
    command
        .env("TONGJIE__HTTP__TLS__CERTIFICATE", tongjie.file("node.pem"))
        .env("TONGJIE__HTTP__TLS__KEY", tongjie.file("node.key"));
    command
}

#[test]
fn a_client_with_the_authority_reaches_it_by_tls_and_sees_a_renewed_certificate() {
    let (tongjie, first, second) = (Tongjie::new(Engine::Sqlite), Authority::new(), Authority::new());
    first.write(&tongjie);
    let (server, address) = crate::demo::start_command(with_tls(&tongjie));
    let answer = first.get(&address, "/health/ready").expect("trusted");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        second.get(&address, "/health/ready").is_err(),
        "another authority did not sign this"
    );

    // What cannot be read leaves the old certificate in use; a new pair is taken up.
    fs::write(tongjie.file("node.key"), "no key").expect("written");
    hang_up(&server);
    assert!(first.get(&address, "/health/ready").is_ok());
    second.write(&tongjie);
    hang_up(&server);
    let end = Instant::now() + PATIENCE;
    while second.get(&address, "/health/ready").is_err() {
        assert!(Instant::now() < end, "the new certificate was never taken up");
        std::thread::yield_now();
    }
    assert_eq!(server.stop(), Some(0));
}

fn hang_up(server: &Server) {
    let asked = Command::new("kill").args(["-HUP", &server.0.id().to_string()]).status();
    assert!(asked.expect("kill is there").success());
}

#[test]
fn plain_http_is_not_spoken_where_tls_is() {
    let (tongjie, authority) = (Tongjie::new(Engine::Sqlite), Authority::new());
    authority.write(&tongjie);
    let (server, address) = crate::demo::start_command(with_tls(&tongjie));
    let mut stream = TcpStream::connect(&address).expect("it listens");
    write!(stream, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start_and_is_named() {
    let (tongjie, authority) = (Tongjie::new(Engine::Sqlite), Authority::new());
    let refused = |named: &str| {
        let output = with_tls(&tongjie).stdout(Stdio::piped()).output().expect("starts");
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(told(&output).contains(named), "{named}: {}", told(&output));
    };
    refused("http.tls.certificate");
    authority.write(&tongjie);
    let key = fs::read(tongjie.file("node.key")).expect("there");
    fs::write(tongjie.file("node.key"), "no key").expect("written");
    refused("http.tls.key");
    authority.write(&tongjie);
    fs::write(tongjie.file("node.key"), key).expect("written");
    refused("do not fit together");
    fs::write(tongjie.file("node.pem"), "").expect("written");
    refused("http.tls.certificate");
}
