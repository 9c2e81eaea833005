//! Real nodes for tests: started on free ports, asked over RPC, stopped when dropped.

#![allow(dead_code)] // Every test file uses its own part.

pub mod blobs;
pub mod rpc;
pub mod transaction;

use serde_json::{json, Value};
use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a node may take for anything; generous, because machines that build are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// The node's executable.
pub fn executable() -> Command {
    Command::new(env!("CARGO_BIN_EXE_chasqui-node"))
}

/// Runs a command of the node to its end.
pub fn run(args: &[&str]) -> Output {
    executable().args(args).output().expect("the node runs")
}

/// A running node.
pub struct Node {
    child: Child,
    log: PathBuf,
    rpc_port: u16,
    p2p_port: u16,
    /// Holds the log.
    _folder: TempDir,
}

impl Node {
    /// Starts `chasqui-node ARGS` and waits until it answers.
    pub fn start(args: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let (rpc_port, p2p_port) = (free_port(), free_port());
        let out = File::create(&log).expect("a log file");
        let child = executable()
            .args(args)
            .args([
                "--rpc-port",
                &rpc_port.to_string(),
                "--port",
                &p2p_port.to_string(),
            ])
            .args(["--no-prometheus", "--no-telemetry"])
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out)
            .spawn()
            .expect("the node starts");
        let mut node = Self {
            child,
            log,
            rpc_port,
            p2p_port,
            _folder: folder,
        };
        node.wait("answer over RPC", |node| {
            node.try_call("system_health", json!([])).ok()
        });
        node
    }

    /// A development node with its data in `base`.
    pub fn dev_at(base: &Path) -> Self {
        Self::start(&["--dev", "--base-path", base.to_str().expect("UTF-8")])
    }

    /// Kills the node without warning.
    pub fn kill(mut self) {
        self.child.kill().expect("SIGKILL is delivered");
        self.child.wait().expect("the node ends");
    }

    /// Where RPC is served.
    pub fn rpc_port(&self) -> u16 {
        self.rpc_port
    }

    /// The address that other nodes find this one at.
    pub fn address(&self) -> String {
        let peer = self.call("system_localPeerId", json!([]));
        format!(
            "/ip4/127.0.0.1/tcp/{}/p2p/{}",
            self.p2p_port,
            peer.as_str().expect("a peer id")
        )
    }

    /// What the node has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Calls `method`; `Err` if there was no answer or an error.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, String> {
        rpc::call(self.rpc_port, method, params)
    }

    /// Calls `method`, which must succeed.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.log()))
    }

    /// Number of the best block.
    pub fn best(&self) -> u32 {
        self.number(json!([]))
    }

    /// Number of the last finalised block.
    pub fn finalized(&self) -> u32 {
        let hash = self.call("chain_getFinalizedHead", json!([]));
        self.number(json!([hash]))
    }

    fn number(&self, block: Value) -> u32 {
        let header = self.call("chain_getHeader", block);
        let number = header["number"].as_str().expect("a number");
        u32::from_str_radix(number.trim_start_matches("0x"), 16).expect("hexadecimal")
    }

    /// Hash of block `number` on the best chain, if it is that long.
    pub fn hash(&self, number: u32) -> Option<String> {
        self.call("chain_getBlockHash", json!([number]))
            .as_str()
            .map(Into::into)
    }

    /// A storage value at the best block.
    pub fn storage(&self, key: &[u8]) -> Option<Vec<u8>> {
        let value = self.call("state_getStorage", json!([to_hex(key)]));
        value.as_str().map(from_hex)
    }

    /// Waits until `ready` gives a value.
    pub fn wait<T>(&mut self, what: &str, ready: impl Fn(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!(
                    "the node ended with {status} before {what}:\n{}",
                    self.log()
                );
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no {what} in time:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the best block is at least `number`.
    pub fn wait_for_block(&mut self, number: u32) {
        self.wait(&format!("block {number}"), |node| {
            (node.best() >= number).then_some(())
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

pub fn to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub fn from_hex(text: &str) -> Vec<u8> {
    hex::decode(text.trim_start_matches("0x")).expect("hexadecimal")
}
