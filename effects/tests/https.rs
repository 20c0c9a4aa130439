//! The adapter for HTTP over TLS, against the shop behind a small server for TLS.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod adapters;

use adapters::{HTTP, adapter, call, carry_out, resume};
use counterfoil_effects::{Adapter, Fate, Kind};
use counterfoil_example_shop::{Handle, Options, parse_faults, start};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// An authority, and the file that has its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// What a server of a name needs, with a certificate of given years.
    fn serve(&self, name: &str, years: [i32; 2], version: &'static SupportedProtocolVersion) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years[0], 1, 1);
        params.not_after = date_time_ymd(years[1], 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server(&certificate, &key, version)
    }
}

fn server(own: &Certificate, key: &KeyPair, version: &'static SupportedProtocolVersion) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    ServerConfig::builder_with_protocol_versions(&[version])
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap()
}

/// A server for TLS before the shop. It tells of each connection what it was asked, or why it was asked nothing.
struct Front {
    port: u16,
    told: Receiver<io::Result<String>>,
}

impl Front {
    fn new(config: ServerConfig, shop: &Handle) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, shop) = (Arc::new(config), shop.port());
        let (tell, told) = channel();
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if tell.send(pass_on(stream.unwrap(), &config, shop)).is_err() {
                    return;
                }
            }
        });
        Front { port, told }
    }

    fn adapter(&self, options: &[&str]) -> Adapter {
        let url = format!("https://127.0.0.1:{}/webhook", self.port);
        let args = [&["--url", &url, "--timeout", "20s"], options].concat();
        Adapter { retries: 1, ..adapter(HTTP, &args) }
    }

    fn trusting(&self, authority: &Authority) -> Adapter {
        self.adapter(&["--ca-file", authority.file().to_str().unwrap()])
    }

    fn told(&self) -> io::Result<String> {
        self.told.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

/// Takes a request over TLS, and gives what the shop answers.
fn pass_on(mut stream: TcpStream, config: &Arc<ServerConfig>, shop: u16) -> io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    tls.complete_io(&mut stream)?;
    let mut stream = StreamOwned::new(tls, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        let read = stream.read(&mut buffer)?;
        assert_ne!(read, 0, "the request ended early");
        request.extend_from_slice(&buffer[..read]);
    }
    let mut inner = TcpStream::connect(("127.0.0.1", shop))?;
    inner.write_all(&request)?;
    let mut response = Vec::new();
    inner.read_to_end(&mut response)?;
    stream.write_all(&response)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(String::from_utf8(request).unwrap())
}

fn shop(faults: &str) -> Handle {
    start(Options { faults: parse_faults(faults).unwrap(), ..Options::default() }).unwrap()
}

const VALID: [i32; 2] = [2020, 4000];

#[test]
fn a_call_over_tls_takes_effect_once() {
    let authority = Authority::new("ours");
    for version in [&version::TLS12, &version::TLS13] {
        for (faults, attempts) in [("", 1), ("fail:1", 2), ("drop-before:1", 2), ("drop-after:1", 1)] {
            let shop = shop(faults);
            let front = Front::new(authority.serve("127.0.0.1", VALID, version), &shop);
            let outcome = carry_out(&front.trusting(&authority), &call(Kind::Do, "ab/0", 300));
            assert_eq!((outcome.status, outcome.attempts), (Fate::Done, attempts), "{faults}: {outcome:?}");
            assert_eq!((shop.times("do", "ab/0"), shop.state()), (1, json!({"budget": 300})), "{faults}");
            let request = front.told().unwrap();
            assert!(request.starts_with("POST /webhook HTTP/1.1\r\n"), "{request}");
        }
    }
}

#[test]
fn a_certificate_that_does_not_hold_is_never_sent_anything() {
    let [authority, other, namesake] = ["ours", "other", "ours"].map(Authority::new);
    let ours = authority.file();
    let trusting = ["--ca-file", ours.to_str().unwrap()];
    for (signer, name, years, options, words) in [
        (
            &authority,
            "127.0.0.1",
            VALID,
            &[][..],
            "is by no public authority; --ca-file trusts a private one",
        ),
        (&other, "127.0.0.1", VALID, &trusting, "is by no authority of --ca-file"),
        (&namesake, "127.0.0.1", VALID, &trusting, "has a signature that is wrong"),
        (&authority, "shop.example", VALID, &trusting, "is for another name"),
        (&authority, "127.0.0.1", [2020, 2021], &trusting, "has expired"),
        (&authority, "127.0.0.1", [3999, 4000], &trusting, "is not valid yet"),
    ] {
        let shop = shop("");
        let front = Front::new(signer.serve(name, years, &version::TLS13), &shop);
        let adapter = front.adapter(options);
        let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 1), "{words}: {outcome:?}");
        let detail = format!("127.0.0.1:{} was not called: its certificate {words}", front.port);
        assert!(outcome.detail.starts_with(&detail), "{outcome:?}");
        assert!(front.told().is_err(), "{words}");
        // Of a call that was made before, it says nothing.
        assert_eq!(resume(&adapter, &call(Kind::Do, "ab/0", 300)).status, Fate::Unknown, "{words}");
        assert!(front.told().is_err(), "{words}");
        assert_eq!(shop.log()["calls"], json!([]), "{words}");
    }
}

#[test]
fn the_certificate_of_a_receiver_can_be_its_own_authority() {
    for (is_ca, fate, times, words) in [
        (IsCa::NoCa, Fate::Done, 1, ""),
        (IsCa::ExplicitNoCa, Fate::Done, 1, ""),
        (IsCa::Ca(BasicConstraints::Unconstrained), Fate::Failed, 0, "is an authority's (CA:TRUE)"),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let own = params.self_signed(&key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("own.pem");
        std::fs::write(&file, own.pem()).unwrap();
        let shop = shop("");
        let front = Front::new(server(&own, &key, &version::TLS13), &shop);
        let adapter = front.adapter(&["--ca-file", file.to_str().unwrap()]);
        let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, shop.times("do", "ab/0")), (fate, times), "{outcome:?}");
        assert!(outcome.detail.contains(words), "{outcome:?}");
    }
}

#[test]
fn without_a_handshake_nothing_was_called() {
    for (response, words) in
        [(Some("HTTP/1.1 200 OK\r\n\r\n"), "there is no TLS with"), (Some(""), ""), (None, "timeout")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/webhook", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for _ in 0..3 {
                let mut stream = listener.accept().unwrap().0;
                match response {
                    Some(response) => {
                        let mut hello = [0; 4096];
                        assert_ne!(stream.read(&mut hello).unwrap(), 0);
                        stream.write_all(response.as_bytes()).unwrap();
                    }
                    // The other side loses patience.
                    None => drop(stream.read_to_end(&mut Vec::new())),
                }
            }
        });
        let timeout = if response.is_some() { "20s" } else { "2s" };
        let adapter = Adapter { retries: 1, ..adapter(HTTP, &["--url", &url, "--timeout", timeout]) };
        let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 2), "{response:?}: {outcome:?}");
        assert!(outcome.detail.contains(words), "{response:?}: {outcome:?}");
        let asking = Adapter { retries: 0, ..adapter };
        assert_eq!(resume(&asking, &call(Kind::Do, "ab/0", 300)).status, Fate::Unknown);
        server.join().unwrap();
    }
}
