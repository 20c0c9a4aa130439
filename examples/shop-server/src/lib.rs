//! A shop that carries out what a ledger asks for, to try effects with: it listens on this machine alone, keeps everything in
//! memory, and fails on demand. It knows nothing of Counterfoil but the protocol in `docs/EFFECTS.md`.

mod faults;
mod http;
mod shop;

pub use faults::{Fault, parse_faults};

use http::{Reply, Request};
use serde_json::{Value as Json, json};
use shop::Shop;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Connections at the same time; further ones are closed at once.
const CONNECTIONS: usize = 64;

/// How often a connection looks whether the shop is closing.
const TURN: Duration = Duration::from_millis(50);

/// How a shop is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port; 0 takes any that is free.
    pub port: u16,
    /// The secret that calls must be signed with.
    pub secret: Option<String>,
    /// What goes wrong with the next calls, in this order; questions are spared.
    pub faults: Vec<Fault>,
}

/// A shop that runs. It is closed when this is dropped.
#[derive(Debug)]
pub struct Handle {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    shop: Mutex<Shop>,
    secret: Option<String>,
    closing: AtomicBool,
}

/// Starts a shop.
pub fn start(options: Options) -> io::Result<Handle> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    let port = listener.local_addr()?.port();
    let shared = Arc::new(Shared {
        shop: Mutex::new(Shop::new(options.faults)),
        secret: options.secret,
        closing: AtomicBool::new(false),
    });
    let ours = Arc::clone(&shared);
    let listener = thread::Builder::new().spawn(move || listen(&listener, &ours))?;
    Ok(Handle { port, shared, listener: Some(listener) })
}

impl Handle {
    /// The port where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where calls are posted to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/webhook", self.port)
    }

    /// Where calls that are for a sandbox are posted to.
    pub fn sandbox_url(&self) -> String {
        format!("http://127.0.0.1:{}/sandbox/webhook", self.port)
    }

    /// What `GET /log` tells.
    pub fn log(&self) -> Json {
        self.shared.shop().log()
    }

    /// What `GET /state` tells.
    pub fn state(&self) -> Json {
        self.shared.shop().state(false)
    }

    /// What `GET /sandbox/state` tells.
    pub fn sandbox_state(&self) -> Json {
        self.shared.shop().state(true)
    }

    /// How often a call took effect: `do` or `undo`, and its key.
    pub fn times(&self, call: &str, key: &str) -> u64 {
        self.shared.shop().times(call, key)
    }

    /// Lets more go wrong, after what already waits to.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.shop().fail(faults);
    }

    /// Waits until somebody closes the shop, which nobody does but the end of this program.
    pub fn wait(mut self) {
        if let Some(listener) = self.listener.take() {
            // A listener that panicked has ended too.
            let _ = listener.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // The listener wakes up when somebody comes.
        drop(TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

/// Takes connections until the shop closes, then waits for those that are open.
fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut open: Vec<JoinHandle<()>> = Vec::new();
    while !shared.is_closing() {
        let Ok((stream, _)) = listener.accept() else {
            // Too many open files, say: that passes.
            thread::sleep(TURN);
            continue;
        };
        open.retain(|thread| !thread.is_finished());
        if shared.is_closing() || open.len() >= CONNECTIONS {
            continue;
        }
        let ours = Arc::clone(shared);
        open.extend(thread::Builder::new().spawn(move || serve(stream, &ours)));
    }
    for thread in open {
        let _ = thread.join();
    }
}

/// Serves one request of a connection.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let closing = || shared.is_closing();
    if stream.set_read_timeout(Some(TURN)).is_err() {
        return;
    }
    let reply = match http::read(&mut stream, &closing) {
        Ok(Some(request)) => answer(&request, shared),
        Ok(None) => return,
        Err((status, fault)) => Reply::Answer(status, json!({ "error": fault })),
    };
    match reply {
        Reply::Answer(status, body) => http::write(&mut stream, status, &body),
        Reply::Drop => {}
        Reply::Hang => http::hold(&mut stream, &closing),
    }
}

fn answer(request: &Request, shared: &Shared) -> Reply {
    let sandbox = request.path.starts_with("/sandbox/");
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/log") => Reply::Answer(200, shared.shop().log()),
        ("GET", "/state" | "/sandbox/state") => Reply::Answer(200, shared.shop().state(sandbox)),
        ("POST", "/webhook" | "/sandbox/webhook") => match http::check(request, shared.secret.as_deref()) {
            Ok(()) => shared.shop().receive(&request.body, sandbox),
            Err(fault) => Reply::Answer(401, json!({ "status": "failed", "detail": fault })),
        },
        (_, "/log" | "/state" | "/sandbox/state" | "/webhook" | "/sandbox/webhook") => {
            Reply::Answer(405, json!({ "error": "POST to a webhook, GET the rest" }))
        }
        _ => Reply::Answer(
            404,
            json!({ "error": "there are /webhook, /log, /state and the same in /sandbox" }),
        ),
    }
}
