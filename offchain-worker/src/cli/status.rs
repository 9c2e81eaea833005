//! `status`: the node, the chain, and with a configuration the worker's operator.

use super::{
    funds,
    options::{format_dot, hot_key, JsonOption, NodeOptions},
};
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
        let (mut hot_key_line, mut warnings) = (String::new(), Vec::new());
        let mut status = json!({
            "node": chain.url(),
            "genesis": format!("{:?}", chain.genesis()),
            "block": head.number,
            "blockHash": format!("{:?}", head.hash),
            "epoch": registry::epoch(&head).await?,
            "audits": registry::audit_totals(&head).await?,
        });
        if let Some(config) = &config {
            let account = hot_key(config)?.account();
            let (free, _) = registry::balance(&head, &account).await?;
            hot_key_line = format!("{account}, {}", format_dot(free));
            warnings.extend(funds::warning(&account, free));
            status["hotKey"] = json!(account.to_string());
            status["hotKeyFree"] = json!(free.to_string());
            status["operator"] = Value::Null;
            if let Some(operator) = duties::operator_of(&head, &account).await? {
                let owed = duties::find(&head, &operator).await?;
                status["operator"] = registry::operator_json(&head, &operator)
                    .await?
                    .unwrap_or(Value::Null);
                status["duties"] = json!(owed.iter().map(|d| format!("{d:?}")).collect::<Vec<_>>());
            } else {
                warnings.push(format!(
                    "no operator has the hot key {account}: run `chasqui-worker operator register`"
                ));
            }
            status["warnings"] = json!(warnings);
        }
        self.json.print(&status, || {
            println!("node     {}", chain.url());
            println!("chain    {:?}", chain.genesis());
            println!("block    {}", head.number);
            println!("epoch    {}", status["epoch"]);
            if let Some(operator) = status.get("operator") {
                let bond = operator["bond"].as_str().and_then(|bond| bond.parse().ok());
                println!("hot key  {hot_key_line}");
                println!(
                    "operator {}",
                    operator["account"].as_str().unwrap_or("none")
                );
                println!("bond     {}", bond.map_or("-".into(), format_dot));
                println!("duties   {}", status["duties"]);
            }
            for warning in &warnings {
                println!("warning: {warning}");
            }
        });
        Ok(())
    }
}
