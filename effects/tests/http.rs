//! The adapter for HTTP against a shop, with all that can go wrong between them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod adapters;

use adapters::{HTTP, adapter, call, carry_out, resume};
use counterfoil_effects::{Adapter, Fate, Kind};
use counterfoil_example_shop::{Handle, Options, parse_faults, start};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn shop(faults: &str) -> Handle {
    start(Options { faults: parse_faults(faults).unwrap(), ..Options::default() }).unwrap()
}

fn to(shop: &Handle) -> Adapter {
    adapter(HTTP, &["--url", &shop.url()])
}

#[test]
fn whatever_goes_wrong_a_key_takes_effect_once() {
    for (faults, fate, attempts, times) in [
        ("", Fate::Done, 1, 1),
        ("fail:1", Fate::Done, 2, 1),
        ("fail:3", Fate::Done, 4, 1),
        ("fail:4", Fate::Failed, 4, 0),
        ("busy:2", Fate::Done, 3, 1),
        ("busy:4", Fate::Failed, 4, 0),
        ("refuse:1", Fate::Failed, 1, 0),
        ("unknown-after:1", Fate::Done, 1, 1),
        ("drop-before:1", Fate::Done, 2, 1),
        ("drop-after:1", Fate::Done, 1, 1),
        ("busy,fail,drop-before", Fate::Done, 4, 1),
        ("busy,fail,drop-after", Fate::Done, 3, 1),
    ] {
        let shop = shop(faults);
        let outcome = carry_out(&to(&shop), &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, outcome.attempts), (fate, attempts), "{faults}: {outcome:?}");
        assert_eq!(shop.times("do", "ab/0"), times, "{faults}");
        let expected = if times == 0 { json!({}) } else { json!({"budget": 300}) };
        assert_eq!(shop.state(), expected, "{faults}");
    }
}

#[test]
fn what_hangs_is_given_up_and_asked_about() {
    for (faults, attempts) in [("hang:1", 2), ("hang-after:1", 1)] {
        let shop = shop(faults);
        let adapter = adapter(HTTP, &["--url", &shop.url(), "--timeout", "2s"]);
        let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, outcome.attempts), (Fate::Done, attempts), "{faults}: {outcome:?}");
        assert_eq!(shop.times("do", "ab/0"), 1);
    }
}

#[test]
fn an_adapter_that_is_killed_is_asked_about() {
    let shop = shop("hang:1");
    let adapter = Adapter { timeout: Duration::from_secs(3), ..to(&shop) };
    let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
    assert_eq!((outcome.status, outcome.attempts), (Fate::Done, 2), "{outcome:?}");
    assert_eq!(shop.times("do", "ab/0"), 1);
}

#[test]
fn three_faults_in_any_order_do_no_harm() {
    let all = ["fail", "busy", "refuse", "unknown-after", "drop-before", "drop-after"];
    for number in 0..all.len().pow(3) {
        let fault = |place: u32| all[number / all.len().pow(place) % all.len()];
        let faults = [fault(0), fault(1), fault(2)].join(",");
        let shop = shop(&faults);
        let outcome = carry_out(&to(&shop), &call(Kind::Do, "ab/0", 300));
        assert_ne!(outcome.status, Fate::Unknown, "{faults}: {outcome:?}");
        let times = u64::from(outcome.status == Fate::Done);
        assert_eq!(shop.times("do", "ab/0"), times, "{faults}: {outcome:?}");
    }
}

#[test]
fn what_may_have_been_called_is_asked_about_first() {
    let shop = shop("");
    let budget = call(Kind::Do, "ab/0", 300);
    let outcome = resume(&to(&shop), &budget);
    assert_eq!((outcome.status, outcome.attempts), (Fate::Done, 1));
    let outcome = resume(&to(&shop), &budget);
    assert_eq!((outcome.status, outcome.attempts), (Fate::Done, 0));
    assert_eq!(shop.times("do", "ab/0"), 1);
    let words: Vec<_> =
        shop.log()["calls"].as_array().unwrap().iter().map(|call| call["call"].clone()).collect();
    assert_eq!(words, ["ask", "do", "ask"]);
}

#[test]
fn an_effect_and_its_undo_are_two_calls() {
    let shop = shop("");
    assert_eq!(carry_out(&to(&shop), &call(Kind::Do, "ab/0", 300)).status, Fate::Done);
    assert_eq!(carry_out(&to(&shop), &call(Kind::Undo, "ab/0", 200)).status, Fate::Done);
    assert_eq!(carry_out(&to(&shop), &call(Kind::Do, "ab/0", 300)).detail, "it was done before");
    assert_eq!((shop.times("do", "ab/0"), shop.times("undo", "ab/0")), (1, 1));
    assert_eq!(shop.state(), json!({"budget": 200}));
}

#[test]
fn calls_are_signed_with_a_secret_of_the_environment() {
    let shop = start(Options { secret: Some("s3cret".to_owned()), ..Options::default() }).unwrap();
    let with = |variable: &str| {
        adapter("env", &[variable, HTTP, "--url", &shop.url(), "--secret-env", "SHOP_SECRET"])
    };
    let budget = call(Kind::Do, "ab/0", 300);
    let outcome = carry_out(&with("SHOP_SECRET=wrong"), &budget);
    assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 1));
    assert!(outcome.detail.contains("HTTP 401: Counterfoil-Signature is not by our secret"), "{outcome:?}");
    assert_eq!(carry_out(&to(&shop), &budget).status, Fate::Failed);
    let outcome = carry_out(&with("SHOP_SECRET="), &budget);
    assert_eq!(outcome.status, Fate::Failed);
    assert!(outcome.detail.contains("SHOP_SECRET is empty"), "{outcome:?}");
    assert_eq!(shop.times("do", "ab/0"), 0);
    assert_eq!(carry_out(&with("SHOP_SECRET=s3cret"), &budget).status, Fate::Done);
    // That a question was refused says nothing of the call.
    assert_eq!(resume(&with("SHOP_SECRET=wrong"), &budget).status, Fate::Unknown);
    assert_eq!(resume(&with("SHOP_SECRET=s3cret"), &budget).status, Fate::Done);
    assert_eq!(shop.times("do", "ab/0"), 1);
}

#[test]
fn a_sandbox_is_another_url() {
    let shop = shop("");
    let mut budget = call(Kind::Do, "ab/0", 300);
    budget.sandbox = true;
    let without = Adapter { sandbox: true, ..to(&shop) };
    let outcome = carry_out(&without, &budget);
    assert_eq!(outcome.status, Fate::Failed);
    assert!(outcome.detail.contains("no --sandbox-url is given"), "{outcome:?}");
    let with = adapter(HTTP, &["--url", &shop.url(), "--sandbox-url", &shop.sandbox_url()]);
    assert_eq!(carry_out(&Adapter { sandbox: true, ..with }, &budget).status, Fate::Done);
    assert_eq!((shop.state(), shop.sandbox_state()), (json!({}), json!({"budget": 300})));
}

#[test]
fn where_nobody_listens_nothing_was_called() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = adapter(HTTP, &["--url", &format!("http://127.0.0.1:{port}/webhook")]);
    let outcome = carry_out(&closed, &call(Kind::Do, "ab/0", 300));
    assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 4));
    assert!(outcome.detail.starts_with(&format!("127.0.0.1:{port} cannot be reached")), "{outcome:?}");
    assert_eq!(resume(&closed, &call(Kind::Do, "ab/0", 300)).status, Fate::Unknown);
    let nowhere = adapter(HTTP, &["--url", "http://shop.invalid/webhook", "--timeout", "5s"]);
    let outcome = carry_out(&Adapter { retries: 1, ..nowhere }, &call(Kind::Do, "ab/0", 300));
    assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 2), "{outcome:?}");
}

#[test]
fn options_that_cannot_be_taken_call_nothing() {
    let outcome = carry_out(&adapter(HTTP, &["--url", "ftp://example.com/"]), &call(Kind::Do, "ab/0", 300));
    assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 1));
    assert!(outcome.detail.contains("is no URL of the form"), "{outcome:?}");
}

#[test]
fn no_proxy_of_the_environment_is_used() {
    let shop = shop("");
    let args = ["http_proxy=http://127.0.0.1:1", "ALL_PROXY=http://127.0.0.1:1", HTTP, "--url", &shop.url()];
    assert_eq!(carry_out(&adapter("env", &args), &call(Kind::Do, "ab/0", 300)).status, Fate::Done);
}

/// Answers one request with given bytes; yields what it was sent. A second one finds nobody.
fn canned(response: Vec<u8>) -> (Adapter, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        drop(listener);
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}}}") {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the request ended early");
            request.extend_from_slice(&buffer[..read]);
        }
        // Whoever has read enough may have gone.
        let _ = stream.write_all(&response);
        String::from_utf8(request).unwrap()
    });
    (Adapter { retries: 0, ..adapter(HTTP, &["--url", &url]) }, thread)
}

#[test]
fn responses_are_judged_by_their_status() {
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000));
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{\"status\":\"done\"}\r\n0\r\n\r\n";
    for (response, fate, words) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", Fate::Done, "HTTP 204"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Fate::Done, "HTTP 200"),
        (chunked, Fate::Done, ""),
        (
            "HTTP/1.1 308 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            Fate::Failed,
            "HTTP 308, which sends elsewhere",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            Fate::Unknown,
            "HTTP 302",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"status\":\"done\"}",
            Fate::Unknown,
            "HTTP 200, and its body cannot be read",
        ),
        (&large, Fate::Unknown, "HTTP 200, and its body cannot be read"),
        ("nonsense\r\n\r\n", Fate::Unknown, "gave no answer"),
        ("", Fate::Unknown, "gave no answer"),
    ] {
        let (adapter, server) = canned(response.as_bytes().to_vec());
        let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
        server.join().unwrap();
        assert_eq!((outcome.status, outcome.attempts), (fate, 1), "{response}: {outcome:?}");
        assert!(outcome.detail.contains(words), "{response}: {outcome:?}");
    }
}

#[test]
fn the_post_is_as_documented() {
    let (adapter, server) = canned(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let adapter = Adapter {
        program: "env".into(),
        args: [vec!["SHOP_SECRET=s3cret".to_owned(), HTTP.to_owned()], adapter.args.clone()]
            .concat()
            .into_iter()
            .chain(["--secret-env".to_owned(), "SHOP_SECRET".to_owned()])
            .collect(),
        ..adapter
    };
    assert_eq!(carry_out(&adapter, &call(Kind::Do, "ab/0", 300)).status, Fate::Done);
    let post = server.join().unwrap();
    let (head, body) = post.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /webhook http/1.1\r\n"), "{head}");
    for header in [
        "idempotency-key: ab/0",
        "content-type: application/json",
        "counterfoil-timestamp: 1",
        "counterfoil-signature: v1=",
    ] {
        assert!(head.contains(&format!("\r\n{header}")), "{header}: {head}");
    }
    assert!(body.starts_with("{\"protocol\":1,\"call\":\"do\",\"key\":\"ab/0\","), "{body}");
}

/// What the shop answers to a GET.
fn get(shop: &Handle, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_shop_tells_what_it_received() {
    let shop = shop("");
    carry_out(&to(&shop), &call(Kind::Do, "ab/0", 300));
    let log = get(&shop, "/log");
    let log: serde_json::Value = serde_json::from_str(log.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(log, shop.log());
    assert_eq!(log["keys"], json!([{"call": "do", "key": "ab/0", "sandbox": false, "took_effect": 1}]));
    assert_eq!(log["calls"][0]["told"], "done");
    assert!(get(&shop, "/state").ends_with("{\"budget\":300}\n"));
    assert!(get(&shop, "/sandbox/state").ends_with("{}\n"));
    assert!(get(&shop, "/").starts_with("HTTP/1.1 404 "));
    assert!(get(&shop, "/webhook").starts_with("HTTP/1.1 405 "));
}
