//! `status`: the node, the chain, and with a configuration the worker's operator.

use super::options::{JsonOption, NodeOptions};
use crate::{config::Config, duties, registry};
use anyhow::Result;
use serde_json::{json, Value};
use std::path::PathBuf;

/// Show how node, chain and worker are.
#[derive(Debug, clap::Args)]
pub struct StatusCommand {
    /// The worker's configuration: shows its operator and open duties as well.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl StatusCommand {
    pub async fn run(self) -> Result<()> {
        let config = self.config.as_deref().map(Config::load).transpose()?;
        let chain = match &config {
            Some(config) => {
                chasqui_chain::Chain::connect(&config.node, config.expected_genesis()?).await?
            }
            None => self.node.connect().await?,
        };
        let head = chain.head().await?;
        let mut status = json!({
            "node": chain.url(),
            "genesis": format!("{:?}", chain.genesis()),
            "block": head.number,
            "blockHash": format!("{:?}", head.hash),
            "epoch": registry::epoch(&head).await?,
            "audits": registry::audit_totals(&head).await?,
        });
        if let Some(config) = &config {
            let hot_key = config.signer()?.account();
            status["hotKey"] = json!(hot_key.to_string());
            if let Some(operator) = duties::operator_of(&head, &hot_key).await? {
                let owed = duties::find(&head, &operator).await?;
                status["operator"] = registry::operator_json(&head, &operator)
                    .await?
                    .unwrap_or(Value::Null);
                status["duties"] = json!(owed.iter().map(|d| format!("{d:?}")).collect::<Vec<_>>());
            }
        }
        self.json.print(&status, || {
            println!("node     {}", chain.url());
            println!("chain    {:?}", chain.genesis());
            println!("block    {}", head.number);
            println!("epoch    {}", status["epoch"]);
            if let Some(operator) = status.get("operator") {
                println!(
                    "operator {}",
                    operator["account"].as_str().unwrap_or("none")
                );
                println!(
                    "bond     {} planck",
                    operator["bond"].as_str().unwrap_or("-")
                );
                println!("duties   {}", status["duties"]);
            }
        });
        Ok(())
    }
}
