//! What the tests of the adapters share.

#![allow(dead_code, reason = "each test takes what it needs")]

use counterfoil_effects::{Adapter, Call, Kind, Outcome};
use serde_json::json;
use std::path::Path;

pub const HTTP: &str = env!("CARGO_BIN_EXE_counterfoil-adapter-http");
pub const COMMAND: &str = env!("CARGO_BIN_EXE_counterfoil-adapter-command");

/// A call that sets a budget.
pub fn call(kind: Kind, key: &str, budget: u32) -> Call {
    Call {
        kind,
        key: key.to_owned(),
        ledger: "example.com/shop".to_owned(),
        row: 12,
        effect: 0,
        sandbox: false,
        request: json!({"set": {"key": "budget", "value": budget}}),
    }
}

pub fn adapter(program: &str, args: &[&str]) -> Adapter {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Adapter { args, ..Adapter::new("shop", program) }
}

/// The adapter for commands, which runs a script of the shell in a directory, where its journal lies too.
pub fn command(dir: &Path, script: &str) -> Adapter {
    std::fs::write(dir.join("effect.sh"), script).unwrap();
    let args = ["--journal", "journal", "--", "sh", "effect.sh"];
    Adapter { dir: Some(dir.to_owned()), ..adapter(COMMAND, &args) }
}

/// Carries a call out without waiting.
pub fn carry_out(adapter: &Adapter, call: &Call) -> Outcome {
    adapter.carry_out(call, &mut |_| {})
}

/// Resumes a call without waiting.
pub fn resume(adapter: &Adapter, call: &Call) -> Outcome {
    adapter.resume(call, &mut |_| {})
}
