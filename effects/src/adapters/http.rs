//! The adapter `counterfoil-adapter-http`: each call is a POST to a URL.

mod tls;

use super::{Program, text, value};
use crate::answer::{Answer, Status};
use crate::call::Verb;
use crate::duration;
use crate::request::Request;
use crate::text::last_line;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::Agent;
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectionDetails, Connector, RustlsConnector, TcpConnector, Transport};

/// Bytes of a response that are read.
pub const RESPONSE_BYTES: u64 = 64 * 1024;

const HELP: &str = "\
Carries out one call of Counterfoil as a POST to a URL: reads a request from
the standard input, and writes an answer to the standard output.

Usage: counterfoil-adapter-http --url URL [OPTIONS]

  --url URL          where calls are posted to: https://HOST[:PORT]/PATH, or
                     http:// without TLS
  --sandbox-url URL  where those are posted to that are for a sandbox
  --secret-env NAME  the environment variable that holds the secret with which
                     calls are signed; they carry Counterfoil-Timestamp and
                     Counterfoil-Signature then
  --ca-file FILE     the authorities, in PEM, by which the certificates of
                     https:// receivers must be; without it, the public ones
  --timeout TIME     how long all of it may take, such as 10s; without it 25s

Environment variables that name a proxy for HTTP are not looked at.
docs/EFFECTS.md says what the receiver has to do.
";

/// Reads a request, posts it, and writes an answer.
pub fn main() -> ExitCode {
    Program { name: "counterfoil-adapter-http", help: HELP, options: Options::read, answer: Options::answer }
        .run()
}

struct Options {
    url: String,
    sandbox_url: Option<String>,
    secret: Option<Vec<u8>>,
    /// The authorities that are trusted instead of the public ones.
    authorities: Option<RootCerts>,
    timeout: Duration,
}

impl Options {
    fn read(args: Vec<OsString>) -> Result<Self, String> {
        let (mut url, mut sandbox_url, mut secret, mut authorities) = (None, None, None, None);
        let mut timeout = Duration::from_secs(25);
        let mut args = args.into_iter();
        while let Some(option) = args.next() {
            match option.to_str() {
                Some("--url") => url = Some(read_url("--url", text("--url", &mut args)?)?),
                Some("--sandbox-url") => {
                    sandbox_url = Some(read_url("--sandbox-url", text("--sandbox-url", &mut args)?)?)
                }
                Some("--secret-env") => secret = Some(read_secret(&text("--secret-env", &mut args)?)?),
                Some("--ca-file") => authorities = Some(read_authorities(value("--ca-file", &mut args)?)?),
                Some("--timeout") => {
                    let text = text("--timeout", &mut args)?;
                    timeout = duration::parse(&text).map_err(|fault| format!("--timeout {text}: {fault}"))?;
                }
                _ => return Err(format!("{} is no option", option.display())),
            }
        }
        let url = url.ok_or("--url is missing")?;
        Ok(Options { url, sandbox_url, secret, authorities, timeout })
    }

    fn answer(&self, request: &Request) -> Answer {
        let url = match (request.sandbox, &self.sandbox_url) {
            (false, _) => &self.url,
            (true, Some(url)) => url,
            (true, None) => {
                let detail = "the call is for a sandbox, and no --sandbox-url is given: nothing was called";
                return Answer::not_sent(request.verb, detail);
            }
        };
        let connected = Arc::new(AtomicBool::new(false));
        match self.post(url, request, Arc::clone(&connected)) {
            Ok(mut response) => {
                let body = response.body_mut().with_config().limit(RESPONSE_BYTES).read_to_vec();
                judge(request.verb, response.status().as_u16(), &body.map_err(|error| error.to_string()))
            }
            Err(error) if !connected.load(Ordering::SeqCst) => {
                self.not_sent(request.verb, &host(url), &error)
            }
            Err(error) => Answer::unknown(format!("{} was called and gave no answer: {error}", host(url))),
        }
    }

    /// What it means that there was no connection. A certificate does not get better by waiting.
    fn not_sent(&self, verb: Verb, host: &str, error: &ureq::Error) -> Answer {
        match tls::fault(error) {
            Some(rustls::Error::InvalidCertificate(fault)) => {
                let words = tls::words(fault, self.authorities.is_some());
                Answer::not_sent(verb, format!("{host} was not called: its certificate {words}"))
            }
            Some(fault) => Answer::not_sent_for_now(verb, format!("there is no TLS with {host}: {fault}")),
            None => Answer::not_sent_for_now(verb, format!("{host} cannot be reached: {error}")),
        }
    }

    fn post(
        &self,
        url: &str,
        request: &Request,
        connected: Arc<AtomicBool>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let roots = self.authorities.clone().unwrap_or(RootCerts::WebPki);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_global(Some(self.timeout))
            .user_agent(concat!("counterfoil-adapter-http/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = TcpConnector::default().chain(RustlsConnector::default()).chain(Connected(connected));
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        let mut post = agent.post(url).content_type("application/json");
        // Who keeps answers by this key must not give one to the call for the answer to a question.
        if request.verb == Verb::Make {
            post = post.header("Idempotency-Key", &request.key);
        }
        if let Some(secret) = &self.secret {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let signature = format!("v1={}", sign(secret, time, &request.text));
            post = post.header("Counterfoil-Timestamp", time.to_string());
            post = post.header("Counterfoil-Signature", signature);
        }
        post.send(request.text.as_slice())
    }
}

/// Takes a URL. What is said of it does not repeat it: it may hold what nobody else should read.
fn read_url(option: &str, url: String) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{option} is no URL: {error}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) if !host.is_empty() => Ok(url),
        (Some("https"), Some(host)) if tls::is_name(host) => Ok(url),
        _ => Err(format!("{option} is no URL of the form http[s]://HOST[:PORT]/PATH")),
    }
}

/// The part of a URL that may be told.
fn host(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let usual = if uri.as_ref().and_then(Uri::scheme_str) == Some("https") { 443 } else { 80 };
    let port = uri.as_ref().and_then(Uri::port_u16).unwrap_or(usual);
    format!("{host}:{port}")
}

fn read_authorities(file: OsString) -> Result<RootCerts, String> {
    let file = PathBuf::from(file);
    tls::authorities(&file).map_err(|fault| format!("--ca-file {}: {fault}", file.display()))
}

fn read_secret(name: &str) -> Result<Vec<u8>, String> {
    match std::env::var(name) {
        Ok(secret) if !secret.is_empty() => Ok(secret.into_bytes()),
        Ok(_) => {
            Err(format!("the environment variable {name} is empty; it holds the secret of --secret-env"))
        }
        Err(_) => Err(format!("set the environment variable {name}; it holds the secret of --secret-env")),
    }
}

/// The HMAC-SHA256 of "TIME.BODY", in hex.
fn sign(secret: &[u8], time: u64, body: &[u8]) -> String {
    // A key of any length does.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a response means. A question that was not answered says nothing of the call it asks about.
fn judge(verb: Verb, code: u16, body: &Result<Vec<u8>, String>) -> Answer {
    let words = || match body {
        Ok(body) => match Answer::parse(body) {
            Ok(answer) => answer.detail,
            Err(_) => last_line(body),
        },
        Err(_) => String::new(),
    };
    let said = |meaning: &str| format!("HTTP {code}{meaning}: {}", words()).trim_end_matches(": ").to_owned();
    match (code, body) {
        (200..=299, Err(error)) => {
            Answer::unknown(format!("HTTP {code}, and its body cannot be read: {error}"))
        }
        (200..=299, Ok(body)) => match (Answer::parse(body), verb) {
            (Ok(answer), Verb::Make) if answer.status == Status::Absent => {
                Answer::unknown(said(", with `absent`, which answers only `ask`"))
            }
            (Ok(answer), _) => answer,
            (Err(_), Verb::Make) => Answer::done(format!("HTTP {code}")),
            (Err(fault), Verb::Ask) => {
                Answer::unknown(format!("HTTP {code}, without an answer to `ask` ({fault})"))
            }
        },
        (408 | 425 | 429, _) => Answer::not_sent_for_now(verb, said("")),
        (301 | 307 | 308, _) => Answer::not_sent(verb, said(", which sends elsewhere; give that URL")),
        (400..=499, _) => Answer::not_sent(verb, said("")),
        _ => Answer::unknown(said("")),
    }
}

/// Remembers that there was a connection. It comes last in the chain: before there is one, and with TLS before the
/// handshake has ended, nothing is sent.
#[derive(Debug)]
struct Connected(Arc<AtomicBool>);

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, ureq::Error> {
        self.0.fetch_or(chained.is_some(), Ordering::SeqCst);
        Ok(chained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_as_documented() {
        // By `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`.
        let expected = "9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(sign(b"key", 1_700_000_000, b"{}"), expected);
    }

    #[test]
    fn every_status_has_a_meaning() {
        use Status::{Absent, Done, Failed, Unknown};
        let ok = |text: &str| Ok(text.as_bytes().to_vec());
        for (code, body, made, asked) in [
            (200, "{\"status\":\"done\"}", (Done, false), Done),
            (200, "{\"status\":\"failed\",\"retry\":true}", (Failed, true), Failed),
            (202, "{\"status\":\"unknown\"}", (Unknown, false), Unknown),
            (200, "{\"status\":\"absent\"}", (Unknown, false), Absent),
            (200, "", (Done, false), Unknown),
            (204, "", (Done, false), Unknown),
            (200, "{\"status\":\"accepted\"}", (Done, false), Unknown),
            (200, "<p>", (Done, false), Unknown),
            (302, "", (Unknown, false), Unknown),
            (308, "", (Failed, false), Unknown),
            (400, "", (Failed, false), Unknown),
            (404, "{\"status\":\"done\"}", (Failed, false), Unknown),
            (408, "", (Failed, true), Unknown),
            (425, "", (Failed, true), Unknown),
            (429, "", (Failed, true), Unknown),
            (500, "{\"status\":\"failed\"}", (Unknown, false), Unknown),
            (503, "", (Unknown, false), Unknown),
        ] {
            let answer = judge(Verb::Make, code, &ok(body));
            assert_eq!((answer.status, answer.retry), made, "{code} {body}");
            assert_eq!(judge(Verb::Ask, code, &ok(body)).status, asked, "{code} {body}");
        }
        assert_eq!(judge(Verb::Make, 200, &Err("cut".into())).status, Unknown);
        assert_eq!(judge(Verb::Make, 422, &ok("no such\nsku\n")).detail, "HTTP 422: sku");
        assert_eq!(
            judge(Verb::Make, 422, &ok("{\"status\":\"failed\",\"detail\":\"no\"}")).detail,
            "HTTP 422: no"
        );
        assert_eq!(judge(Verb::Make, 503, &ok("")).detail, "HTTP 503");
    }

    #[test]
    fn hosts_are_told_with_their_port() {
        for (url, told) in [
            ("http://shop.example/x", "shop.example:80"),
            ("https://user:word@shop.example/x", "shop.example:443"),
            ("https://[::1]:8443/x", "[::1]:8443"),
        ] {
            assert_eq!(host(url), told);
        }
    }

    #[test]
    fn options_are_checked() {
        let read = |args: &[&str]| Options::read(args.iter().map(OsString::from).collect()).err();
        let url = "http://127.0.0.1:80/x";
        assert_eq!(read(&["--url", url, "--sandbox-url", url, "--timeout", "3s"]), None);
        assert_eq!(read(&["--url", "https://example.com/"]), None);
        for (args, fault) in [
            (&["--url"][..], "--url needs a value"),
            (&[], "--url is missing"),
            (&["--url", "https://a..b/"], "is no URL of the form"),
            (&["--url", url, "--ca-file"], "--ca-file needs a value"),
            (&["--url", url, "--ca-file", "/no/such.pem"], "--ca-file /no/such.pem: No such file"),
            (&["--url", "ftp://example.com/"], "is no URL of the form"),
            (&["--url", "/path"], "is no URL of the form"),
            (&["--url", "http://"], "is no URL"),
            (&["--url", url, "--timeout", "3"], "--timeout 3: a time is"),
            (&["--url", url, "--secret", "x"], "--secret is no option"),
            (
                &["--url", url, "--secret-env", "COUNTERFOIL_NO_SUCH"],
                "set the environment variable COUNTERFOIL_NO_SUCH",
            ),
        ] {
            let refused = read(args).unwrap();
            assert!(refused.contains(fault), "{args:?}: {refused}");
        }
    }
}
