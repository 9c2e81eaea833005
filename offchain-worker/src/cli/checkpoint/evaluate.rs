//! `checkpoint evaluate` and `checkpoint evaluations`.

use super::{
    compare::{measure, print, EngineOptions},
    Arithmetic,
};
use crate::{
    cli::options::{format_dot, parse_hash, JsonOption, KeyOptions, NodeOptions},
    evaluation::{
        self, attested,
        find::{Finder, Named},
        TOKENS,
    },
    view::fetch,
};
use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, H256};
use chasqui_primitives::Balance;
use serde_json::{json, Value};
use std::sync::Arc;

/// Evaluate a checkpoint and attest it.
#[derive(Debug, clap::Args)]
pub struct EvaluateCommand {
    /// The checkpoint, by root.
    #[arg(value_name = "ROOT", value_parser = parse_hash)]
    pub checkpoint: H256,
    /// The registered dataset, by root.
    #[arg(long, value_name = "ROOT", value_parser = parse_hash)]
    pub data: H256,
    #[command(flatten)]
    pub key: KeyOptions,
    /// Most tokens to predict, from the first held-out one on [default: 65536]. With fewer than others predict, the figures
    /// do not compare.
    #[arg(long, value_name = "N")]
    pub tokens: Option<u64>,
    /// Take back what this validator said; the deposit returns. Nothing is computed.
    #[arg(long)]
    pub withdraw: bool,
    #[command(flatten)]
    pub engine: EngineOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl EvaluateCommand {
    pub(super) async fn run(self) -> Result<()> {
        let account = self.key.signer()?.account();
        let mut finder = Finder::new(&self.engine.blob_dir, &self.node.node)?;
        let chain = &finder.chain().await?;
        let (root, data) = (self.checkpoint, self.data);
        if self.withdraw {
            self.key
                .sign(chain, |signer| async move {
                    attested::withdraw(chain, &signer, root, data).await
                })
                .await?;
            let value = json!({
                "checkpoint": format!("{root:?}"),
                "dataset": format!("{data:?}"),
                "withdrawn": true,
            });
            self.json.print(&value, || {
                println!("taken back; the deposit returns");
            });
            return Ok(());
        }
        let head = chain.head().await?;
        // Before minutes of computing are spent on what the chain would refuse.
        let operator = attested::check(&head, &account, &root, &data).await?;
        let before = attested::of(&head, &root).await?;
        let own = |all: &[attested::Attested]| {
            let found = all
                .iter()
                .find(|one| one.by == operator && one.dataset == data);
            found.cloned()
        };
        let most = head
            .at
            .constants()
            .entry(api::constants().training().max_evaluations())?;
        ensure!(
            own(&before).is_some() || before.len() < most as usize,
            "{most} evaluations of {root:?} stand on chain, and there is room for no more: wait until another validator \
             takes one back"
        );
        let dataset = Arc::new(finder.dataset(&Named::Root(data)).await?);
        let tokens = evaluation::predictions(&dataset, self.tokens.unwrap_or(TOKENS))?;
        // Everybody computes it as the chain says: what else would they agree on?
        let loading = self.engine.loading(None::<Arithmetic>);
        let model = finder.model(&Named::Root(root), None, &loading).await?;
        evaluation::check_fits(&model, &dataset)?;
        let window = evaluation::window_of(model.engine.config().max_position_embeddings);
        let measured = measure(model, dataset, window, tokens).await?;
        let micro = measured.losses.mean_micro();
        self.key
            .sign(chain, |signer| async move {
                attested::attest(chain, &signer, root, data, tokens, micro).await
            })
            .await?;
        let mut value = measured.json(None);
        value["dataset"] = json!(format!("{data:?}"));
        value["window"] = json!(window);
        value["validator"] = json!(operator.to_string());
        value["replaced"] = json!(own(&before).map(|one| one.loss_micro));
        let params = fetch!(
            chain.head().await?,
            api::storage().training().parameters(),
            ()
        );
        let deposit: Balance = match own(&before) {
            Some(one) => one.deposit,
            None => params.map_or(0, |params| params.evaluation_deposit),
        };
        value["deposit"] = json!(deposit.to_string());
        self.json.print(&value, || {
            println!("{root:?}");
            print(&value);
            eprintln!(
                "attested as {operator}; {} are on hold",
                format_dot(deposit)
            );
        });
        Ok(())
    }
}

/// `checkpoint evaluations`.
pub(super) async fn list(root: H256, node: &NodeOptions, json: JsonOption) -> Result<()> {
    let chain = node.connect().await?;
    let all = attested::of(&chain.head().await?, &root).await?;
    let value = json!({
        "checkpoint": format!("{root:?}"),
        "datasets": attested::by_dataset(&all, true),
    });
    json.print(&value, || {
        if all.is_empty() {
            println!("no validator has attested what it loses");
        }
        for dataset in value["datasets"].as_array().into_iter().flatten() {
            print_median(dataset, "");
            for one in dataset["evaluations"].as_array().into_iter().flatten() {
                println!(
                    "  {}  {:.6} over {} tokens, block {}",
                    one["validator"].as_str().unwrap_or("-"),
                    one["loss"].as_f64().unwrap_or_default(),
                    one["tokens"],
                    one["block"]
                );
            }
        }
    });
    Ok(())
}

/// A line on what validators say of a checkpoint and one dataset.
pub(super) fn print_median(dataset: &Value, indent: &str) {
    println!(
        "{indent}loss {:.6} (perplexity {:.3}) on {}, the median of {}",
        dataset["medianLoss"].as_f64().unwrap_or_default(),
        dataset["medianPerplexity"].as_f64().unwrap_or_default(),
        dataset["dataset"].as_str().unwrap_or("-"),
        dataset["validators"]
    );
}
