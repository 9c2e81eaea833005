//! Chain specifications: who starts a network, and with what state.

use chasqui_runtime::{genesis, SS58_PREFIX, WASM_BINARY};
use sc_chain_spec::{ChainType, Properties};

/// A chain specification of this node.
pub type ChainSpec = sc_service::GenericChainSpec;

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

fn without_relay_chain(
    name: &str,
    id: &str,
    chain_type: ChainType,
    preset: &str,
) -> Result<ChainSpec, String> {
    let code = WASM_BINARY.ok_or("this node was built without its WASM runtime")?;
    // The native runtime knows its presets: asking the WASM one would compile it once more.
    let patch = genesis::preset(&preset.into()).ok_or("this runtime lacks the preset")?;
    let patch = serde_json::from_slice(&patch).map_err(|error| error.to_string())?;
    let mut properties = properties();
    // The author makes up the relay chain, so it knows every draw in advance.
    properties.insert("insecureRandomness".into(), true.into());
    Ok(ChainSpec::builder(code, None)
        .with_name(name)
        .with_id(id)
        .with_chain_type(chain_type)
        .with_protocol_id(id)
        .with_genesis_config_patch(patch)
        .with_properties(properties)
        .build())
}

fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), "DOT".into());
    properties.insert("tokenDecimals".into(), 10.into());
    properties.insert("ss58Format".into(), SS58_PREFIX.into());
    properties
}
