//! As much of HTTP/1.1 as a webhook needs: one request for a connection, and an answer in JSON.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::Sha256;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The largest head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// The largest body of a request.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far the clock of a caller may be from this one.
const SKEW: u64 = 300;

/// A request.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What becomes of a connection.
#[derive(Debug)]
pub enum Reply {
    /// An answer: a status and a body.
    Answer(u16, Json),
    /// None; it is closed.
    Drop,
    /// None; it is held.
    Hang,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a request; none when the other side goes or the shop closes. A fault is a status and what to say.
pub fn read(
    stream: &mut TcpStream,
    closing: &dyn Fn() -> bool,
) -> Result<Option<Request>, (u16, &'static str)> {
    let since = Instant::now();
    let mut more = |bytes: &mut Vec<u8>| {
        let mut buffer = [0; 8192];
        loop {
            if closing() || since.elapsed() > PATIENCE {
                return false;
            }
            match stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(read) => {
                    bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
                    return true;
                }
                Err(error) if is_pause(error.kind()) => {}
                Err(_) => return false,
            }
        }
    };
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD_BYTES {
            return Err((431, "the head of the request is too large"));
        }
        if !more(&mut bytes) {
            return Ok(None);
        }
    };
    let mut body = bytes.split_off(end.saturating_add(4));
    let mut request = read_head(&bytes).ok_or((400, "this is no request of HTTP/1.1"))?;
    let length = match (request.header("content-length"), request.method.as_str()) {
        (Some(length), _) => length.parse().map_err(|_| (400, "Content-Length is a number"))?,
        (None, "GET") => 0,
        (None, _) => return Err((411, "Content-Length is missing")),
    };
    if length > BODY_BYTES {
        return Err((413, "the body is too large"));
    }
    while body.len() < length {
        if !more(&mut body) {
            return Ok(None);
        }
    }
    body.truncate(length);
    request.body = body;
    Ok(Some(request))
}

fn read_head(bytes: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") || words.next().is_some() {
        return None;
    }
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers = lines.filter(|line| !line.is_empty()).map(header).collect::<Option<_>>()?;
    Some(Request { method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() })
}

/// Writes an answer. Whoever has gone does not need it.
pub fn write(stream: &mut TcpStream, status: u16, body: &Json) {
    let reason = match status {
        200 => "OK",
        400..=499 => "Refused",
        _ => "Failed",
    };
    let body = format!("{body}\n");
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Holds a connection until the other side goes or the shop closes.
pub fn hold(stream: &mut TcpStream, closing: &dyn Fn() -> bool) {
    let mut buffer = [0; 1024];
    while !closing() {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if is_pause(error.kind()) => {}
            Err(_) => return,
        }
    }
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Checks the signature of a request: `v1=` and the HMAC-SHA256 of "TIMESTAMP.BODY" in hex, made at about this time.
pub fn check(request: &Request, secret: Option<&str>) -> Result<(), &'static str> {
    let Some(secret) = secret else { return Ok(()) };
    let stamp = request.header("counterfoil-timestamp").ok_or("Counterfoil-Timestamp is missing")?;
    let signature = request.header("counterfoil-signature").ok_or("Counterfoil-Signature is missing")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let time: u64 = stamp.parse().map_err(|_| "Counterfoil-Timestamp is a number of seconds")?;
    if now.abs_diff(time) > SKEW {
        return Err("Counterfoil-Timestamp is not of these minutes");
    }
    let wrong = "Counterfoil-Signature is not by our secret";
    let sign = signature.strip_prefix("v1=").and_then(unhex).ok_or(wrong)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| wrong)?;
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(&request.body);
    mac.verify_slice(&sign).map_err(|_| wrong)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let request = read_head(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length:  3\r\n\r\n").unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/webhook"));
        assert_eq!(request.header("content-length"), Some("3"));
        for text in ["", "GET /", "GET / x HTTP/1.1", "GET / HTTP/2", "GET / HTTP/1.1\r\nnonsense\r\n"] {
            assert!(read_head(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn only_hex_is_unhexed() {
        assert_eq!(unhex("00fF"), Some(vec![0, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
    }
}
