//! Chain specifications: who starts a network, and with what state.

use chasqui_runtime::{constants::consensus::DEV_PARA_ID, genesis, SS58_PREFIX, WASM_BINARY};
use sc_chain_spec::{ChainSpecExtension, ChainType, Properties};
use serde::{Deserialize, Serialize};
use sp_maybe_compressed_blob::{compress_weakly, CODE_BLOB_BOMB_LIMIT};

/// A chain specification of this node.
pub type ChainSpec = sc_service::GenericChainSpec<Extensions>;

/// What a parachain's specification says beside what every chain's does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ChainSpecExtension)]
pub struct Extensions {
    /// The relay chain that orders and finalises the chain: a name that its node knows. Without it the chain is its
    /// author's alone.
    #[serde(default, alias = "relayChain", skip_serializing_if = "Option::is_none")]
    pub relay_chain: Option<String>,
    /// The chain's number among the relay chain's. Other tools read it; this node asks the runtime.
    #[serde(default, alias = "paraId", skip_serializing_if = "Option::is_none")]
    pub para_id: Option<u32>,
}

/// The relay chain that `spec` names, if it names one.
pub fn relay_chain(spec: &dyn sc_service::ChainSpec) -> Option<String> {
    sc_chain_spec::get_extension::<Extensions>(spec.extensions())?
        .relay_chain
        .clone()
}

/// One node that makes up everything around it.
pub fn development() -> Result<ChainSpec, String> {
    without_relay_chain(
        "Chasqui Development",
        "dev",
        ChainType::Development,
        genesis::DEVELOPMENT,
    )
}

/// One author with followers, without a relay chain.
pub fn local() -> Result<ChainSpec, String> {
    without_relay_chain(
        "Chasqui Local",
        "chasqui_local",
        ChainType::Local,
        genesis::LOCAL,
    )
}

/// Two collators of a relay chain for tests.
pub fn collators() -> Result<ChainSpec, String> {
    let code = WASM_BINARY.ok_or("this node was built without its WASM runtime")?;
    // A relay chain takes no runtime that is as long as a bare one.
    let code = compress_weakly(code, CODE_BLOB_BOMB_LIMIT).ok_or("this runtime is too long")?;
    let extensions = Extensions {
        relay_chain: Some("rococo-local".into()),
        para_id: Some(DEV_PARA_ID),
    };
    let id = "chasqui_collators";
    Ok(ChainSpec::builder(&code, extensions)
        .with_name("Chasqui Collators")
        .with_id(id)
        .with_chain_type(ChainType::Local)
        .with_protocol_id(id)
        .with_genesis_config_patch(patch(genesis::COLLATORS)?)
        .with_properties(properties())
        .build())
}

fn without_relay_chain(
    name: &str,
    id: &str,
    chain_type: ChainType,
    preset: &str,
) -> Result<ChainSpec, String> {
    let code = WASM_BINARY.ok_or("this node was built without its WASM runtime")?;
    let mut properties = properties();
    // The author makes up the relay chain, so it knows every draw in advance.
    properties.insert("insecureRandomness".into(), true.into());
    Ok(ChainSpec::builder(code, Extensions::default())
        .with_name(name)
        .with_id(id)
        .with_chain_type(chain_type)
        .with_protocol_id(id)
        .with_genesis_config_patch(patch(preset)?)
        .with_properties(properties)
        .build())
}

/// The native runtime knows its presets: asking the WASM one would compile it once more.
fn patch(preset: &str) -> Result<serde_json::Value, String> {
    let patch = genesis::preset(&preset.into()).ok_or("this runtime lacks the preset")?;
    serde_json::from_slice(&patch).map_err(|error| error.to_string())
}

fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), "DOT".into());
    properties.insert("tokenDecimals".into(), 10.into());
    properties.insert("ss58Format".into(), SS58_PREFIX.into());
    properties
}
