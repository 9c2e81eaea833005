//! `train create`.

use crate::{
    cli::options::{format_dot, read_text, JsonOption, KeyOptions, NodeOptions},
    registry,
    training::terms::{DataFacts, TermsFile},
    view::fetch,
};
use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, Head, H256};
use serde_json::json;
use std::path::PathBuf;

/// Longest file of terms, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Create a run.
#[derive(Debug, clap::Args)]
pub struct CreateCommand {
    /// The terms, a TOML file; see docs/examples/run.toml.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub key: KeyOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl CreateCommand {
    pub async fn run(self) -> Result<()> {
        self.key.signer()?;
        let shown = self.file.display().to_string();
        let text = read_text("FILE", &self.file, MAX_FILE_BYTES)?;
        let file = TermsFile::parse(&text).with_context(|| format!("in {shown}"))?;
        let dataset = file.dataset().with_context(|| format!("in {shown}"))?;
        let chain = &self.node.connect().await?;
        let data = data_facts(&chain.head().await?, &dataset).await?;
        let terms = file.terms(&data).with_context(|| format!("in {shown}"))?;
        let run = self
            .key
            .sign(chain, |signer| async move {
                registry::create_run_as_root(chain, &signer, &terms).await
            })
            .await?;
        let root = terms.root(&chain.genesis(), run);
        let value = json!({
            "run": run,
            "root": format!("{root:?}"),
            "budget": terms.budget().unwrap_or_default().to_string(),
            "sequences": terms.sequences,
            "tokensPerMemberAndRound": terms.recipe.tokens_per_round(),
        });
        self.json.print(&value, || {
            println!("{run}");
            eprintln!(
                "run {run} gathers members: {} are set aside for {} rounds; operators join by `chasqui-worker train \
                 join {run}`, validators judge it if they serve {root:?}",
                format_dot(terms.budget().unwrap_or_default()),
                terms.rounds
            );
        });
        Ok(())
    }
}

/// What the chain knows of a dataset.
async fn data_facts(head: &Head, root: &H256) -> Result<DataFacts> {
    let id = fetch!(head, api::storage().datasets().roots(), (*root,));
    let id = id.with_context(|| {
        format!("`dataset`: {root:?} is not registered on this chain; submit it, and wait until validators found it usable")
    })?;
    let dataset = fetch!(head, api::storage().datasets().registry(), (id,));
    let dataset = dataset.with_context(|| format!("`dataset`: {root:?} is gone"))?;
    use api::runtime_types::pallet_datasets::types::Status;
    ensure!(
        dataset.status == Status::Usable,
        "`dataset`: runs may not use {root:?} now: validators have not found it usable yet, or it is being withdrawn"
    );
    Ok(DataFacts {
        tokens: dataset.terms.tokens,
        held_out: dataset.terms.held_out,
    })
}
