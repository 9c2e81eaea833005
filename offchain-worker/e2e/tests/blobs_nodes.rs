//! Workers on different nodes of one chain, without a relay chain: blobs reach them over the nodes' own network.

use anyhow::{Context, Result};
use chasqui_chain::{Chain, RpcParams};
use chasqui_e2e::{
    network::{Network, Operator},
    process::{free_port, program, Process},
    scenes::{model, text, ROOT_KEY},
};
use serde_json::{json, Value};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The author's network key, and the peer id that belongs to it.
const NODE_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const PEER_ID: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
/// Blocks are made every two seconds.
const PATIENCE: u32 = 2;

/// A node of the local chain.
struct Node {
    name: &'static str,
    folder: PathBuf,
    rpc: u16,
    arguments: Vec<String>,
    process: Process,
}

impl Node {
    fn start(folder: &Path, name: &'static str, p2p: u16, more: &[&str]) -> Result<Self> {
        let rpc = free_port()?;
        let blobs = folder.join(name).join("blobs");
        fs::create_dir_all(&blobs)?;
        let mut arguments: Vec<String> = ["--chain", "local", "--rpc-methods", "unsafe"]
            .map(String::from)
            .to_vec();
        let base = folder.join(name).join("base");
        for (option, value) in [
            ("--base-path", base.display().to_string()),
            ("--blob-dir", blobs.display().to_string()),
            ("--rpc-port", rpc.to_string()),
            ("--listen-addr", format!("/ip4/127.0.0.1/tcp/{p2p}")),
        ] {
            arguments.extend([option.to_string(), value]);
        }
        arguments
            .extend(["--allow-private-ip", "--no-prometheus", "--no-telemetry"].map(String::from));
        arguments.extend(more.iter().map(ToString::to_string));
        Ok(Self {
            name,
            folder: folder.to_path_buf(),
            rpc,
            process: spawn(name, folder, &arguments)?,
            arguments,
        })
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.rpc)
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join(self.name).join("blobs")
    }

    /// `kill -9`, and the same again.
    fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = spawn(self.name, &self.folder, &self.arguments)?;
        Ok(())
    }
}

fn spawn(name: &str, folder: &Path, arguments: &[String]) -> Result<Process> {
    let mut command = Command::new(program("chasqui-node")?);
    command.args(arguments);
    Process::spawn(name, &mut command, folder.join(format!("{name}.log")))
}

/// An operator whose worker shares its node's folder.
fn operator(network: &Network, name: &str, key: &str, node: &Node) -> Result<Operator> {
    let mut operator = Operator::new(name, key, "compute");
    operator.own_blobs = true;
    operator.settings = "share_models = true\n".into();
    fs::create_dir_all(network.folder().join(name))?;
    std::os::unix::fs::symlink(node.blobs(), network.blobs_of(&operator))?;
    Ok(operator)
}

fn params(values: &[Value]) -> Result<RpcParams> {
    let mut params = RpcParams::new();
    for value in values {
        params.push(value)?;
    }
    Ok(params)
}

/// Gives one node a blob and fetches it by another.
async fn send(from: &Node, to: &Node, bytes: &[u8]) -> Result<Vec<u8>> {
    fs::write(from.blobs().join("inbox/given"), bytes)?;
    let giver = Chain::connect_patiently(&from.url(), None, |_| {}).await?;
    let put: Value = giver
        .request("blobs_put", params(&[json!("given")])?)
        .await?;
    let taker = Chain::connect_patiently(&to.url(), None, |_| {}).await?;
    let mut updates = taker
        .subscribe::<Value>(
            "blobs_fetch",
            params(&[put["root"].clone()])?,
            "blobs_stopFetch",
        )
        .await?;
    loop {
        let update = updates.next().await.context("an end")??;
        match update["state"].as_str() {
            Some("done") => break,
            Some("failed") => anyhow::bail!("{update}"),
            _ => {}
        }
    }
    let name = put["root"]
        .as_str()
        .context("a root")?
        .trim_start_matches("0x");
    Ok(fs::read(to.blobs().join(format!("{name}.blob")))?)
}

#[test]
fn a_checkpoint_reaches_a_worker_on_another_node_and_an_author_that_restarts_goes_on() -> Result<()>
{
    // GIVEN an author and a follower, and a worker at each that shares its folder
    let folder = tempfile::Builder::new()
        .prefix("chasqui-nodes-")
        .tempdir()?;
    let port = free_port()?;
    let mut author = Node::start(
        folder.path(),
        "author",
        port,
        &[
            "--alice",
            "--sealing",
            "interval:2000",
            "--node-key",
            NODE_KEY,
        ],
    )?;
    let address = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{PEER_ID}");
    let follower = Node::start(
        folder.path(),
        "follower",
        free_port()?,
        &["--bootnodes", &address],
    )?;
    author
        .process
        .wait_for_output("blobs:", Duration::from_secs(120))?;
    let mut network = Network::on(vec![author.url(), follower.url()], PATIENCE)?;
    let bob = operator(&network, "bob", "//Bob", &author)?;
    let charlie = operator(&network, "charlie", "//Charlie", &follower)?;
    let blobs = author.blobs().display().to_string();
    let folder_of_model = model("chasqui-tales-small")?.display().to_string();
    let proposed = network.call(&[
        "checkpoint",
        "register",
        "--key",
        ROOT_KEY,
        "--model",
        &folder_of_model,
        "--blob-dir",
        &blobs,
    ])?;
    let root = text(&proposed, "checkpoint")?;
    // AND nobody answers where the chain says that bob does
    network.register(&bob, &root, 100, "1000")?;
    fs::write(network.folder().join("bob.port"), free_port()?.to_string())?;
    network.start_worker(&bob, &[])?;
    // WHEN charlie, at the other node, declares to serve what bob has
    network.register(&charlie, &root, 100, "1000")?;
    network.start_worker(&charlie, &[])?;
    // THEN its worker gets the checkpoint by its node, whole
    network.wait_until(
        "the checkpoint is there",
        Duration::from_secs(120),
        |network| {
            let log = network.workers[1].process.output();
            Ok(log.contains("fetched a checkpoint"))
        },
    )?;
    let name = format!("{}.blob", root.trim_start_matches("0x"));
    assert_eq!(
        fs::read(follower.blobs().join(&name))?,
        fs::read(author.blobs().join(&name))?
    );

    // WHEN the author is killed and started again
    let before = network.block()?;
    author.restart()?;
    network.wait_for_block(before + 3, Duration::from_secs(120))?;
    // THEN blobs go both ways again
    let runtime = tokio::runtime::Runtime::new()?;
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let there = runtime.block_on(send(&author, &follower, &bytes))?;
    assert!(there == bytes);
    let back = runtime.block_on(send(&follower, &author, b"small"))?;
    assert_eq!(back, b"small");
    Ok(())
}
