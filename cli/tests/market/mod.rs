//! A ledger whose effects call the example shop, by the adapter that ships.

use crate::shop::{Run, STARTING, Shop};
use counterfoil_example_shop::{Handle, Options, start};
use counterfoil_format::Hash;
use counterfoil_ledger::Log;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The adapter that ships, which is built when a run of this package alone has not.
pub fn adapter() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_counterfoil")).with_file_name("counterfoil-adapter-http");
        if !program.exists() {
            let built = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "-p", "counterfoil-effects", "--bins"])
                .status();
            assert!(built.unwrap().success() && program.exists(), "{}", program.display());
        }
        program
    })
}

/// A ledger, and the shop that its effects call.
pub struct Market {
    pub shop: Shop,
    pub world: Handle,
}

/// Row 4 sets a budget of 300 in the state and, by two effects, in the world.
pub const DECISION: &str = r#"{"action":"SET_BUDGET","mode":"live","entity":"c1","ops":[{"put":{"key":"budget/c1","value":300}}],
 "effects":[{"adapter":"shop","do":{"set":{"key":"budget","value":300}},"undo":{"set":{"key":"budget","value":100}}},
 {"adapter":"shop","do":{"set":{"key":"note","value":"raised"}},"compensate":{"set":{"key":"note","value":"sorry"}}}]}"#;

impl Market {
    pub fn open() -> Self {
        let shop = Shop::open();
        let world = start(Options::default()).unwrap();
        let market = Market { shop, world };
        market.configure(&format!("program = {:?}", adapter()));
        let run = market.shop.append(&[], &DECISION.replace('\n', ""));
        assert_eq!(run.status, 0, "{}", run.err);
        assert_eq!(market.row(), 4);
        market
    }

    /// The number of the decision.
    pub fn row(&self) -> u64 {
        self.shop.size() - 1
    }

    /// Writes the file of adapters, with few and short retries.
    #[allow(dead_code, reason = "not every test configures anew")]
    pub fn configure(&self, program: &str) {
        let text = format!(
            "[adapters.shop]\n{program}\nargs = [\"--url\", {:?}, \"--sandbox-url\", {:?}]\ntimeout = \"5s\"\n\
             retries = 1\nbackoff = \"1ms\"\nsandbox = true\n",
            self.world.url(),
            self.world.sandbox_url()
        );
        fs::write(self.shop.path().join("adapters.toml"), text).unwrap();
    }

    /// Sets an adapter that is this shell script, which finds its request in `$0.request`.
    #[allow(dead_code, reason = "not every test has an adapter of its own")]
    pub fn script(&self, text: &str) {
        let script = self.shop.beside("adapter");
        fs::write(&script, format!("#!/bin/sh\ncat > \"$0.request\"\n{text}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        self.configure(&format!("program = {script:?}"));
    }

    /// Sets an adapter that gives this answer to everything.
    #[allow(dead_code, reason = "not every test has an adapter of its own")]
    pub fn says(&self, answer: &str) {
        self.script(&format!("echo '{answer}'"));
    }

    /// Runs the program, which is killed on the way.
    #[allow(dead_code, reason = "not every test kills")]
    #[track_caller]
    pub fn killed(&self, args: &[&str]) {
        let mut command = self.shop.command();
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let starting = STARTING.read();
        let mut child = command.spawn().unwrap();
        drop(starting);
        assert!(!child.wait().unwrap().success());
    }

    #[track_caller]
    pub fn succeeds(&self, args: &[&str]) -> Run {
        self.shop.succeeds(args)
    }

    /// How often the undo of each effect took place that this row calls for.
    #[allow(dead_code, reason = "not every test counts undos")]
    pub fn undone(&self, row: u64) -> [u64; 2] {
        let hash = self.row_hash(row);
        [0, 1].map(|effect| self.world.times("undo", &format!("{hash}/{effect}")))
    }

    #[allow(dead_code, reason = "not every test needs a hash")]
    pub fn row_hash(&self, row: u64) -> Hash {
        let _starting = STARTING.write();
        Log::open(&self.shop.path()).unwrap().row(row).unwrap().parse().unwrap().row_hash
    }

    #[allow(dead_code, reason = "not every test reads the state")]
    pub fn held(&self) -> Value {
        self.succeeds(&["state", "--json"]).lines().first().map_or(Value::Null, |line| line["value"].clone())
    }

    pub fn verdict(&self) -> (String, Vec<String>) {
        let report = self.shop.run(&["verify", "--json"]).json();
        let findings = report["findings"].as_array().unwrap();
        let checks = findings.iter().map(|finding| finding["check"].as_str().unwrap().to_owned()).collect();
        (report["verdict"].as_str().unwrap().to_owned(), checks)
    }

    /// All is as it should be after row 5 has taken row 4 back.
    #[allow(dead_code, reason = "not every test ends so")]
    #[track_caller]
    pub fn is_undone(&self, what: &str) {
        assert_eq!(self.undone(5), [1, 1], "{what}");
        assert_eq!(self.world.state(), json!({ "budget": 100, "note": "sorry" }), "{what}");
        assert_eq!(self.held(), Value::Null, "{what}");
        assert_eq!(self.verdict(), ("intact".to_owned(), Vec::new()), "{what}");
        assert_eq!(self.succeeds(&["effects", "--json"]).lines(), Vec::<Value>::new(), "{what}");
    }
}
