//! `checkpoint lineage`.

use super::evaluate::print_median;
use crate::{
    cli::options::{parse_hash, JsonOption, NodeOptions},
    evaluation::lineage::{self, MAX_DEPTH},
};
use anyhow::Result;
use chasqui_chain::H256;
use serde_json::Value;

/// Show what a checkpoint was made from.
#[derive(Debug, clap::Args)]
pub struct LineageCommand {
    /// The checkpoint, by root.
    #[arg(value_name = "ROOT", value_parser = parse_hash)]
    pub checkpoint: H256,
    /// Most steps to follow.
    #[arg(long, value_name = "N", default_value_t = MAX_DEPTH,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DEPTH)))]
    pub depth: u32,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl LineageCommand {
    pub(super) async fn run(self) -> Result<()> {
        let chain = self.node.connect().await?;
        let value = lineage::walk(&chain.head().await?, self.checkpoint, self.depth).await?;
        self.json.print(&value, || {
            for step in value["steps"].as_array().into_iter().flatten() {
                print(step);
            }
            if value["complete"] == false {
                println!("… and further ancestors");
            }
        });
        Ok(())
    }
}

fn print(step: &Value) {
    let text = |field: &str| step[field].as_str().unwrap_or("-");
    let name = match text("name") {
        "" => "(not described)",
        name => name,
    };
    println!("{}  {name}", text("checkpoint"));
    let trained = || {
        format!(
            "by run {}, {} rounds, on dataset {}",
            step["run"],
            step["rounds"],
            text("dataset")
        )
    };
    let made = match (text("kind"), step["run"].is_u64()) {
        ("base", _) => "proposed as it is".into(),
        ("trained", _) => format!("trained {}", trained()),
        ("adapter", true) => format!("adapter of {}, trained {}", text("base"), trained()),
        ("adapter", false) => format!("adapter of {}, as its proposer says", text("base")),
        ("derived", _) => "derived from the next one, as its proposer says".into(),
        _ => "not known to this chain".into(),
    };
    println!("  {made}");
    println!("  {}", text("status"));
    for dataset in step["evaluations"].as_array().into_iter().flatten() {
        print_median(dataset, "  ");
    }
}
