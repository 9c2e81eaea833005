//! `checkpoint`: the registry of models, and what they lose on held-out text.

mod compare;
mod evaluate;
mod lineage;

use super::options::{format_dot, parse_hash, JsonOption, KeyOptions, NodeOptions};
use crate::{
    blobs::{BlobStore, Manifest},
    config::default_blob_dir,
    models,
    registry::{self, Proposal},
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{Chain, H256};
use chasqui_engine::{Engine, LoadOptions};
use chasqui_primitives::NumericProfile;
use serde_json::json;
use std::path::PathBuf;

/// Propose models, list them, decide about them; evaluate and compare them, and see what they were made from.
#[derive(Debug, clap::Subcommand)]
pub enum CheckpointCommand {
    /// Import a model folder into the blob store and propose it. Drawn validators then calibrate it.
    Register(Box<ProposeCommand>),
    /// List what is registered, with terms and standing.
    List {
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Accept a calibrated checkpoint with the root key of a development chain. Elsewhere a referendum does:
    /// `gov propose accept-checkpoint`.
    Accept {
        #[command(flatten)]
        key: KeyOptions,
        /// The checkpoint, by root.
        #[arg(long, value_name = "ROOT", value_parser = parse_hash)]
        checkpoint: H256,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Compare what two checkpoints lose on the held-out part of a dataset.
    Compare(Box<compare::CompareCommand>),
    /// Evaluate a checkpoint on the held-out part of a registered dataset, and attest that on chain as a validator that
    /// serves it. Once more, to replace what was said. A deposit goes on hold until it is taken back.
    Evaluate(Box<evaluate::EvaluateCommand>),
    /// List what validators say that a checkpoint loses, with the median for each dataset.
    Evaluations {
        /// The checkpoint, by root.
        #[arg(value_name = "ROOT", value_parser = parse_hash)]
        checkpoint: H256,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Show what a checkpoint was made from, step by step, to the first ancestor.
    Lineage(lineage::LineageCommand),
}

/// Propose a checkpoint.
#[derive(Debug, clap::Args)]
pub struct ProposeCommand {
    #[command(flatten)]
    pub key: KeyOptions,
    /// The model, a folder in the Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Its name. Default: the folder's.
    #[arg(long)]
    pub name: Option<String>,
    /// Its licence, as an SPDX identifier.
    #[arg(long, default_value = "Apache-2.0")]
    pub licence: String,
    /// How it is computed: f32 arithmetic over the weights as they are stored, or over weights rounded to int8 in
    /// blocks of 32. Every operator computes it so; the thresholds of its audits belong to it.
    #[arg(long, value_enum, default_value_t)]
    pub precision: Arithmetic,
    /// Units of compute of a prompt token.
    #[arg(long, default_value_t = 1)]
    pub units_per_prompt_token: u32,
    /// Units of compute of an output token.
    #[arg(long, default_value_t = 4)]
    pub units_per_output_token: u32,
    /// Folder of blobs.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// What a checkpoint may declare that this worker computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Arithmetic {
    /// Weights as stored, f32 arithmetic.
    #[default]
    F32,
    /// Weights rounded to int8 while loading, f32 arithmetic.
    Int8,
}

impl Arithmetic {
    fn profile(self) -> NumericProfile {
        match self {
            Self::F32 => NumericProfile::F32,
            Self::Int8 => NumericProfile::Int8,
        }
    }
}

impl CheckpointCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Register(command) => command.run().await,
            Self::List { node, json } => {
                let chain = node.connect().await?;
                let all = registry::checkpoints_json(&chain.head().await?).await?;
                json.print(&json!(all), || {
                    if all.is_empty() {
                        println!("no checkpoints");
                    }
                    for c in &all {
                        let text = |field: &str| c[field].as_str().unwrap_or("-").to_string();
                        let price = text("unitPrice")
                            .parse()
                            .map(format_dot)
                            .unwrap_or_default();
                        println!("{}  {}", text("root"), text("name"));
                        println!("  status {}  unit price {price}", text("status"));
                    }
                });
                Ok(())
            }
            Self::Accept {
                key,
                checkpoint,
                node,
                json,
            } => {
                key.signer()?;
                let chain = &node.connect().await?;
                check_acceptable(chain, checkpoint).await?;
                key.sign(chain, |signer| async move {
                    registry::accept_as_root(chain, &signer, checkpoint).await
                })
                .await?;
                let value = json!({ "checkpoint": format!("{checkpoint:?}") });
                json.print(&value, || println!("{checkpoint:?} accepted"));
                Ok(())
            }
            Self::Compare(command) => command.run().await,
            Self::Evaluate(command) => command.run().await,
            Self::Evaluations {
                checkpoint,
                node,
                json,
            } => evaluate::list(checkpoint, &node, json).await,
            Self::Lineage(command) => command.run().await,
        }
    }
}

/// Root's call would fail without a reason that people can read: these are the reasons.
pub(super) async fn check_acceptable(chain: &Chain, checkpoint: H256) -> Result<()> {
    let root = format!("{checkpoint:?}");
    let all = registry::checkpoints_json(&chain.head().await?).await?;
    let found = all.iter().find(|known| known["root"] == root.as_str());
    let status = found.and_then(|known| known["status"].as_str());
    match status {
        Some("calibrated") => Ok(()),
        None => bail!(
            "checkpoint {root} is not registered: propose it first (`chasqui-worker checkpoint register`)"
        ),
        Some("calibrating") => bail!(
            "checkpoint {root} is not calibrated yet: wait for the validators that were drawn, or see that validators \
             serve it (`chasqui-worker operator serve`)"
        ),
        Some(status) => bail!(
            "checkpoint {root} is {status}: only a calibrated one can be accepted (`chasqui-worker checkpoint list`)"
        ),
    }
}

impl ProposeCommand {
    async fn run(self) -> Result<()> {
        // A key that cannot be read is said before the model is loaded.
        self.key.signer()?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => self
                .model
                .canonicalize()
                .with_context(|| format!("model folder {}", self.model.display()))?
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        // Loading it first: a model that does not load must not be proposed.
        let profile = self.precision.profile();
        let options = LoadOptions {
            precision: models::precision(profile),
            ..LoadOptions::on("cpu")
        };
        let engine = Engine::load_with(&self.model, &options)?;
        let store = BlobStore::open_dir(&self.blob_dir)?;
        let (manifest, root) = Manifest::import(&store, &self.model)?;
        let config = engine.config();
        let proposal = Proposal {
            root,
            name,
            licence: self.licence.clone(),
            profile,
            vocabulary: config.vocab_size as u32,
            context_tokens: config.max_position_embeddings as u32,
            end_tokens: engine.eos_ids().to_vec(),
            has_tokenizer: engine.tokenizer().is_ok(),
            units_per_prompt_token: self.units_per_prompt_token,
            units_per_output_token: self.units_per_output_token,
            size_bytes: manifest.total_bytes(),
        };
        let chain = self.node.connect().await?;
        let (chain, what) = (&chain, &proposal);
        self.key
            .sign(chain, |signer| async move {
                registry::propose(chain, &signer, what).await
            })
            .await?;
        let value = json!({
            "checkpoint": format!("{root:?}"),
            "name": proposal.name,
            "files": manifest.files.len(),
            "bytes": proposal.size_bytes,
        });
        self.json.print(&value, || {
            println!("{root:?}");
            eprintln!(
                "proposed {}; drawn validators calibrate it next",
                proposal.name
            );
        });
        Ok(())
    }
}
