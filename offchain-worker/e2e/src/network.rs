//! The network: a node, workers, and the commands of `chasqui-worker` against them.

use crate::{
    interrupt,
    process::{free_port, program, tail, tied, Process},
};
use anyhow::{bail, Context, Result};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// How long a command of the worker may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(180);

/// How to start the node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Milliseconds between blocks.
    pub block_ms: u64,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { block_ms: 1_000 }
    }
}

/// When an operator settles what it answered in a session.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// Whatever there is, after so many blocks.
    pub blocks: u32,
    /// From so many DOT on.
    pub dot: u32,
}

impl Default for Settling {
    /// Soon: tests wait for it.
    fn default() -> Self {
        Self { blocks: 5, dot: 1 }
    }
}

/// One operator of the network.
#[derive(Clone, Debug)]
pub struct Operator {
    /// What people call it.
    pub name: String,
    /// Secret URI of the bonded account.
    pub key: String,
    /// Comma-separated roles.
    pub roles: String,
    /// Whether its worker has a blob folder of its own, as on a machine of its own.
    pub own_blobs: bool,
    /// Further lines of its configuration.
    pub settings: String,
}

impl Operator {
    pub fn new(name: &str, key: &str, roles: &str) -> Self {
        Self {
            name: name.into(),
            key: key.into(),
            roles: roles.into(),
            own_blobs: false,
            settings: String::new(),
        }
    }

    /// Secret URI of its hot key.
    pub fn hot_key(&self) -> String {
        format!("{}//hot", self.key)
    }
}

/// A running worker.
pub struct WorkerHandle {
    pub operator: Operator,
    pub process: Process,
    extra: Vec<String>,
}

/// A development node of this network.
struct OwnNode {
    options: NodeOptions,
    rpc_port: u16,
    p2p_port: u16,
    process: Process,
}

impl OwnNode {
    fn spawn(&self, folder: &Path) -> Result<Process> {
        spawn_node(folder, &self.options, self.rpc_port, self.p2p_port)
    }
}

/// Node, workers, and a folder for everything they write. Dropped, it stops the processes and then removes the folder.
pub struct Network {
    folder: PathBuf,
    /// Addresses of nodes: commands go to the first, workers are spread over them.
    urls: Vec<String>,
    /// The node, unless somebody else runs them.
    node: Option<OwnNode>,
    /// What limits of time are multiplied with.
    patience: u32,
    pub workers: Vec<WorkerHandle>,
    /// When workers that are started from now on settle.
    pub settling: Settling,
    /// Fields are dropped from first to last: while a process still writes, the folder would not go.
    _temporary: Option<tempfile::TempDir>,
}

impl Network {
    /// Starts a development node in a temporary folder (or in `CHASQUI_E2E_DIR`, which is kept) and waits for blocks.
    pub fn start(options: NodeOptions) -> Result<Self> {
        let (rpc_port, p2p_port) = (free_port()?, free_port()?);
        let mut network = Self::without_nodes()?;
        let process = spawn_node(&network.folder, &options, rpc_port, p2p_port)?;
        network.urls = vec![format!("ws://127.0.0.1:{rpc_port}")];
        network.node = Some(OwnNode {
            options,
            rpc_port,
            p2p_port,
            process,
        });
        network.wait_for_block(1, Duration::from_secs(120))?;
        Ok(network)
    }

    /// A network on nodes that somebody else runs, at these addresses. Limits of time are multiplied by `patience`: a
    /// development node makes a block a second.
    pub fn on(urls: Vec<String>, patience: u32) -> Result<Self> {
        let mut network = Self::without_nodes()?;
        network.urls = urls;
        network.patience = patience;
        network.wait_for_block(1, Duration::from_secs(120))?;
        Ok(network)
    }

    fn without_nodes() -> Result<Self> {
        let (folder, temporary) = match std::env::var_os("CHASQUI_E2E_DIR") {
            Some(kept) => {
                let folder = PathBuf::from(kept).join(format!("{}", std::process::id()));
                std::fs::create_dir_all(&folder)?;
                (folder, None)
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("chasqui-").tempdir()?;
                (temporary.path().to_path_buf(), Some(temporary))
            }
        };
        Ok(Self {
            folder,
            urls: Vec::new(),
            node: None,
            patience: 1,
            workers: Vec::new(),
            settling: Settling::default(),
            _temporary: temporary,
        })
    }

    /// The address of the node that commands go to.
    pub fn url(&self) -> String {
        self.urls.first().cloned().unwrap_or_default()
    }

    /// As long as `limit` is on a development node.
    pub fn patient(&self, limit: Duration) -> Duration {
        limit * self.patience
    }

    /// Everything the network writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The blob folder that all workers share.
    pub fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    /// `kill -9` of the node, and a new one on the same data and ports.
    pub fn restart_node(&mut self) -> Result<()> {
        self.kill_node();
        self.start_node()
    }

    /// `kill -9` of the node.
    pub fn kill_node(&mut self) {
        if let Some(node) = &mut self.node {
            node.process.kill();
        }
    }

    /// The exit code of the node, if it ended by itself.
    pub fn node_ended(&mut self) -> Option<i32> {
        self.node.as_mut().and_then(|node| node.process.ended())
    }

    fn node_output(&self) -> String {
        let node = self.node.as_ref();
        node.map(|node| node.process.output()).unwrap_or_default()
    }

    /// A new node on the data and ports of the one that was killed; waits for its first new block.
    pub fn start_node(&mut self) -> Result<()> {
        let node = self.node.as_mut().context("its nodes are others'")?;
        node.process = node.spawn(&self.folder)?;
        let before = self.block().unwrap_or(0);
        self.wait_for_block(before + 1, Duration::from_secs(120))
    }

    /// The best block's number, read by the worker's own `status`.
    pub fn block(&self) -> Result<u64> {
        let status = self.worker(&["status", "--node", &self.url(), "--json"])?;
        status["block"].as_u64().context("status has no block")
    }

    /// Waits for a block of at least this number.
    pub fn wait_for_block(&mut self, number: u64, limit: Duration) -> Result<()> {
        let start = Instant::now();
        let limit = self.patient(limit);
        loop {
            if let Ok(block) = self.block() {
                if block >= number {
                    return Ok(());
                }
            }
            if let Some(code) = self.node_ended() {
                bail!(
                    "the node ended with code {code}:\n{}",
                    tail(&self.node_output(), 40)
                );
            }
            if start.elapsed() > limit {
                bail!(
                    "no block {number} within {limit:?}:\n{}",
                    tail(&self.node_output(), 40)
                );
            }
            interrupt::pause(Duration::from_millis(300))?;
        }
    }

    /// Runs a command of `chasqui-worker` and parses the JSON it prints.
    pub fn worker(&self, arguments: &[&str]) -> Result<Value> {
        let (code, out, err) = self.worker_raw(arguments)?;
        if code != 0 {
            bail!(
                "chasqui-worker {} failed ({code}):\n{err}{out}",
                arguments.join(" ")
            );
        }
        serde_json::from_str(out.trim()).with_context(|| {
            format!(
                "chasqui-worker {} printed no JSON:\n{out}",
                arguments.join(" ")
            )
        })
    }

    /// Runs a command of `chasqui-worker`: exit code, standard output, standard error.
    pub fn worker_raw(&self, arguments: &[&str]) -> Result<(i32, String, String)> {
        let out = tempfile::tempfile()?;
        let err = tempfile::tempfile()?;
        let mut child = tied(&mut Command::new(program("chasqui-worker")?))
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(err.try_clone()?)
            .spawn()?;
        let start = Instant::now();
        let limit = self.patient(COMMAND_LIMIT);
        let code = loop {
            if let Some(status) = child.try_wait()? {
                break status.code().unwrap_or(-1);
            }
            let interrupted = interrupt::check();
            if interrupted.is_err() || start.elapsed() > limit {
                let _ = child.kill();
                let _ = child.wait();
                interrupted?;
                bail!(
                    "chasqui-worker {} took more than {limit:?}",
                    arguments.join(" ")
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // A Ctrl-C reaches the command as well: its failure is then not its own.
        interrupt::check()?;
        Ok((code, read_all(out)?, read_all(err)?))
    }

    /// Runs a command against this network: `--node` and `--json` are added.
    pub fn call(&self, arguments: &[&str]) -> Result<Value> {
        let url = self.url();
        let mut all = arguments.to_vec();
        all.extend(["--node", url.as_str(), "--json"]);
        self.worker(&all)
    }

    /// Starts a worker for an operator. `extra` are further arguments of `run`.
    pub fn start_worker(&mut self, operator: &Operator, extra: &[&str]) -> Result<usize> {
        let extra: Vec<String> = extra.iter().map(|e| e.to_string()).collect();
        let process = self.spawn_worker(operator, &extra)?;
        self.workers.push(WorkerHandle {
            operator: operator.clone(),
            process,
            extra,
        });
        Ok(self.workers.len() - 1)
    }

    /// `kill -9` of a worker.
    pub fn kill_worker(&mut self, index: usize) {
        self.workers[index].process.kill();
    }

    /// A new process for a worker that was killed, with the same state folder.
    pub fn restart_worker(&mut self, index: usize, extra: Option<&[&str]>) -> Result<()> {
        self.workers[index].process.kill();
        if let Some(extra) = extra {
            self.workers[index].extra = extra.iter().map(|e| e.to_string()).collect();
        }
        let (operator, extra) = (
            self.workers[index].operator.clone(),
            self.workers[index].extra.clone(),
        );
        self.workers[index].process = self.spawn_worker(&operator, &extra)?;
        Ok(())
    }

    /// The port that an operator's worker listens on for sessions; the same for every process of it.
    pub fn endpoint_port(&self, operator: &Operator) -> Result<u16> {
        let file = self.folder.join(format!("{}.port", operator.name));
        if let Ok(port) = std::fs::read_to_string(&file) {
            return port.trim().parse().context("a port");
        }
        let port = free_port()?;
        std::fs::write(&file, port.to_string())?;
        Ok(port)
    }

    /// The key of an operator's endpoint.
    pub fn tls_key_file(&self, operator: &Operator) -> String {
        let file = self.folder.join(format!("{}.tls", operator.name));
        file.display().to_string()
    }

    /// The configuration file of an operator's worker.
    pub fn worker_config(&self, operator: &Operator) -> Result<PathBuf> {
        let state = self.folder.join(&operator.name);
        std::fs::create_dir_all(&state)?;
        let path = state.join("worker.toml");
        std::fs::write(
            &path,
            format!(
                "node = \"{}\"\nkey = \"{}\"\nblob_dir = \"{}\"\nstate_dir = \"{}\"\n\
                 listen = \"127.0.0.1:{}\"\ntls_key_file = \"{}\"\nsettle_blocks = {}\n\
                 settle_dot = \"{}\"\n{}",
                self.url_of(operator),
                operator.hot_key(),
                self.blobs_of(operator).display(),
                state.join("state").display(),
                self.endpoint_port(operator)?,
                self.tls_key_file(operator),
                self.settling.blocks,
                self.settling.dot,
                operator.settings,
            ),
        )?;
        Ok(path)
    }

    /// The node that an operator's worker asks: always the same.
    fn url_of(&self, operator: &Operator) -> String {
        let known = self.workers.iter();
        let index = known
            .take_while(|worker| worker.operator.name != operator.name)
            .count();
        let nodes = self.urls.len().max(1);
        self.urls.get(index % nodes).cloned().unwrap_or_default()
    }

    fn spawn_worker(&self, operator: &Operator, extra: &[String]) -> Result<Process> {
        let config = self.worker_config(operator)?;
        let mut command = Command::new(program("chasqui-worker")?);
        command.arg("run").arg("--config").arg(&config).args(extra);
        let log = self.folder.join(format!("{}.log", operator.name));
        Process::spawn(&format!("worker {}", operator.name), &mut command, log)
    }

    /// The end of every log, for an error report.
    pub fn logs(&self, lines: usize) -> String {
        let history = self.node.as_ref().map(|node| node.process.history());
        let mut all = format!("--- node\n{}\n", tail(&history.unwrap_or_default(), lines));
        for worker in &self.workers {
            all.push_str(&format!(
                "--- {}\n{}\n",
                worker.process.name(),
                tail(&worker.process.history(), lines)
            ));
        }
        all
    }
}

fn read_all(mut file: std::fs::File) -> Result<String> {
    use std::io::{Read, Seek};
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn spawn_node(
    folder: &Path,
    options: &NodeOptions,
    rpc_port: u16,
    p2p_port: u16,
) -> Result<Process> {
    let mut command = Command::new(program("chasqui-node")?);
    command
        .args([
            "--dev",
            "--state-pruning",
            "archive",
            "--rpc-methods",
            "unsafe",
        ])
        .arg("--base-path")
        .arg(folder.join("node"))
        .args(["--sealing", &format!("interval:{}", options.block_ms)])
        .args(["--rpc-port", &rpc_port.to_string()])
        .args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{p2p_port}")])
        .args(["--no-prometheus", "--no-telemetry", "--no-mdns"]);
    Process::spawn("node", &mut command, folder.join("node.log"))
}
