//! What the test asks and tells the chain itself.

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value as Json;
use sp_crypto_hashing::twox_128;
use std::time::{Duration, Instant};
use zombienet_sdk::{
    subxt::{
        self, dynamic::Value, ext::subxt_rpcs::client::RpcParams, OnlineClient, PolkadotConfig,
    },
    subxt_signer::sr25519::dev,
    NetworkNode,
};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// How long to wait for something, and how often to look.
pub struct Patience {
    /// The longest time.
    pub limit: Duration,
}

impl Patience {
    /// So many seconds.
    pub fn seconds(seconds: u64) -> Self {
        Self {
            limit: Duration::from_secs(seconds),
        }
    }
}

/// Waits until the node knows a final block above `number`; its number. A node that does not answer is asked again.
pub async fn finalized_above(node: &NetworkNode, number: u32, patience: Patience) -> Result<u32> {
    let start = Instant::now();
    let mut last = String::from("it was not asked");
    loop {
        match finalized(node).await {
            Ok(known) if known > number => return Ok(known),
            Ok(known) => last = format!("block {known} is final"),
            Err(error) => last = format!("{error:#} (before: {last:.80})"),
        }
        if start.elapsed() > patience.limit {
            bail!(
                "{}: no final block above {number} within {:?}: {last}",
                node.name(),
                patience.limit
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn finalized(node: &NetworkNode) -> Result<u32> {
    let hash = ask(node, "chain_getFinalizedHead", &[]).await?;
    let header = ask(node, "chain_getHeader", &[hash]).await?;
    let number = header["number"].as_str().context("a header has a number")?;
    Ok(u32::from_str_radix(number.trim_start_matches("0x"), 16)?)
}

/// The version of the runtime that the node's best block runs.
pub async fn spec_version(node: &NetworkNode) -> Result<u64> {
    let version = ask(node, "state_getRuntimeVersion", &[]).await?;
    version["specVersion"]
        .as_u64()
        .context("a runtime has a version")
}

/// The version of a pallet's storage.
pub async fn storage_version(node: &NetworkNode, pallet: &str) -> Result<u16> {
    let mut key = twox_128(pallet.as_bytes()).to_vec();
    key.extend(twox_128(b":__STORAGE_VERSION__:"));
    let key = Json::from(format!("0x{}", hex::encode(key)));
    let value = ask(node, "state_getStorage", &[key]).await?;
    let value = value.as_str().unwrap_or("0x0000").trim_start_matches("0x");
    let bytes: [u8; 2] = hex::decode(value)?
        .try_into()
        .map_err(|other| anyhow::anyhow!("{other:?} is no version of storage"))?;
    Ok(u16::from_le_bytes(bytes))
}

/// What tells a compressed runtime from one that is not.
const COMPRESSED: [u8; 8] = [82, 188, 83, 118, 70, 219, 142, 5];

/// The runtime as a relay chain takes it: a bare one is longer than it allows.
pub fn compressed(code: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = COMPRESSED.to_vec();
    zstd::stream::copy_encode(code, &mut compressed, 3)?;
    Ok(compressed)
}

/// Has root upgrade the runtime, and waits until the relay chain lets it and the node runs it.
pub async fn set_code(node: &NetworkNode, code: &[u8], patience: Patience) -> Result<u64> {
    let before = spec_version(node).await?;
    let api: OnlineClient<PolkadotConfig> = node.wait_client_with_timeout(60u32).await?;
    let set_code = subxt::dynamic::tx("System", "set_code", vec![Value::from_bytes(code)]);
    let sudo = subxt::dynamic::tx(
        "Sudo",
        "sudo_unchecked_weight",
        vec![
            set_code.into_value(),
            Value::named_composite([("ref_time", Value::u128(1)), ("proof_size", Value::u128(1))]),
        ],
    );
    let events = api
        .tx()
        .sign_and_submit_then_watch_default(&sudo, &dev::alice())
        .await?
        .wait_for_finalized_success()
        .await?;
    for event in events.iter() {
        let event = event?;
        if event.pallet_name() == "Sudo" {
            let fields = format!("{}", event.field_values()?);
            ensure!(fields.contains("Ok"), "set_code was refused: {fields}");
        }
    }
    let start = Instant::now();
    loop {
        match spec_version(node).await {
            Ok(version) if version > before => return Ok(version),
            Ok(_) | Err(_) if start.elapsed() < patience.limit => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(version) => bail!(
                "{}: still version {version} after {:?}",
                node.name(),
                patience.limit
            ),
            Err(error) => return Err(error),
        }
    }
}

async fn ask(node: &NetworkNode, method: &str, parameters: &[Json]) -> Result<Json> {
    let answer = async {
        let client = node.rpc().await?;
        let mut params = RpcParams::new();
        for parameter in parameters {
            params.push(parameter)?;
        }
        anyhow::Ok(client.request::<Json>(method, params).await?)
    };
    tokio::time::timeout(ANSWER, answer)
        .await
        .with_context(|| format!("{}: no answer to {method}", node.name()))?
        .with_context(|| format!("{}: {method}", node.name()))
}
