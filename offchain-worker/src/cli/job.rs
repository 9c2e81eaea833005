//! `job`: submit, watch, list.

use super::options::{
    format_dot, parse_dot, parse_hash, parse_ids, JsonOption, KeyOptions, NodeOptions,
};
use crate::{
    blobs::{BlobStore, Manifest},
    client::{self, JobReport, Watcher},
    config::default_blob_dir,
    prompt,
    sampling::SamplingOptions,
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{AccountId32, H256};
use chasqui_engine::tokenizer::Tokenizer;
use chasqui_primitives::{Balance, JobClass, JobId, Prompt};
use std::{io::Write, path::PathBuf};

/// Longest tokenizer file that is read.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// Buy completions.
#[derive(Debug, clap::Subcommand)]
pub enum JobCommand {
    /// Submit a prompt, and with --wait follow it until it is paid for.
    Submit(Box<SubmitCommand>),
    /// Follow a job until it is closed.
    Watch(WatchCommand),
    /// List live jobs, newest first.
    List {
        /// Only this client's.
        #[arg(long, value_name = "ADDRESS", value_parser = super::options::parse_account)]
        client: Option<AccountId32>,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
}

/// Submit a prompt.
#[derive(Debug, clap::Args)]
pub struct SubmitCommand {
    #[command(flatten)]
    pub key: KeyOptions,
    /// The checkpoint, by root. See `checkpoint list`.
    #[arg(long, value_name = "ROOT", value_parser = parse_hash)]
    pub checkpoint: H256,
    #[command(flatten)]
    pub prompt: PromptOptions,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    /// The most it may cost, in DOT. Default: whatever the terms at submission make it.
    #[arg(long, value_name = "DOT", value_parser = parse_dot)]
    pub max_price: Option<Balance>,
    /// Have it audited before it is accepted.
    #[arg(long)]
    pub premium: bool,
    /// Follow it until it is closed.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub follow: FollowOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// What to ask.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct PromptOptions {
    /// Text; the executor tokenizes it.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Token ids, comma-separated, beginning-of-sequence included.
    #[arg(long, value_name = "IDS")]
    pub ids: Option<String>,
}

/// What to do with the answer.
#[derive(Clone, Debug, clap::Args)]
pub struct FollowOptions {
    /// Model folder, to turn token ids into text. Default: the checkpoint from the blob folder, if it is there.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Folder of blobs.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    /// Write the executor's signed receipt here.
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Give up after this many seconds.
    #[arg(long, default_value_t = 600)]
    pub timeout: u64,
}

/// Follow a job.
#[derive(Debug, clap::Args)]
pub struct WatchCommand {
    /// The job's number.
    pub job: JobId,
    #[command(flatten)]
    pub follow: FollowOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl JobCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Submit(command) => command.run().await,
            Self::Watch(command) => {
                let chain = command.node.connect().await?;
                follow(&chain, command.job, None, &command.follow, command.json).await
            }
            Self::List { client, node, json } => {
                let chain = node.connect().await?;
                let jobs = client::live_jobs(&chain.head().await?, client.as_ref()).await?;
                json.print(&serde_json::to_value(&jobs)?, || {
                    if jobs.is_empty() {
                        println!("no live jobs");
                    }
                    for job in &jobs {
                        println!(
                            "{:>6}  {:<13} client {}  executor {}",
                            job.job,
                            job.stage,
                            job.client,
                            job.executor.as_deref().unwrap_or("-")
                        );
                    }
                });
                Ok(())
            }
        }
    }
}

impl SubmitCommand {
    async fn run(self) -> Result<()> {
        let signer = self.key.signer()?;
        let sampling = self.sampling.to_sampling()?;
        let prompt = match (&self.prompt.prompt, &self.prompt.ids) {
            (Some(text), None) => text_prompt(text)?,
            (None, Some(ids)) => prompt::from_ids(parse_ids(ids)?)?,
            _ => bail!("give one of --prompt and --ids"),
        };
        let chain = self.node.connect().await?;
        let class = if self.premium {
            JobClass::Premium
        } else {
            JobClass::Standard
        };
        let submitted = client::submit(
            &chain,
            &signer,
            self.checkpoint,
            prompt,
            sampling,
            self.max_price,
            class,
        )
        .await?;
        if !self.json.json {
            eprintln!(
                "job {} submitted, at most {}",
                submitted.job,
                format_dot(submitted.escrow)
            );
        }
        if self.wait {
            return follow(
                &chain,
                submitted.job,
                Some(submitted.block),
                &self.follow,
                self.json,
            )
            .await;
        }
        self.json.print(
            &serde_json::json!({
                "job": submitted.job,
                "escrow": submitted.escrow.to_string(),
                "block": submitted.block,
            }),
            || println!("{}", submitted.job),
        );
        Ok(())
    }
}

fn text_prompt(text: &str) -> Result<Prompt> {
    let bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    match bytes.try_into() {
        Ok(bytes) => Ok(Prompt::Text(bytes)),
        Err(_) => bail!(
            "the prompt has {length} bytes; a text prompt on chain holds {}",
            chasqui_primitives::MAX_INLINE_PROMPT_BYTES
        ),
    }
}

async fn follow(
    chain: &chasqui_chain::Chain,
    job: JobId,
    from: Option<u32>,
    options: &FollowOptions,
    json: JsonOption,
) -> Result<()> {
    let limit = std::time::Duration::from_secs(options.timeout);
    let mut watcher = Watcher::new(chain.clone(), job, from);
    let quiet = json.json;
    let report = tokio::time::timeout(
        limit,
        watcher.until_closed(|step| {
            if !quiet {
                eprintln!("  {step}");
            }
        }),
    )
    .await
    .with_context(|| format!("job {job} is not closed after {} s", options.timeout))??;
    let mut report: JobReport = report;
    if let (Some(path), Some(receipt)) = (&options.receipt, &report.receipt) {
        receipt.save(path)?;
    }
    if let Some(ids) = &report.output_ids {
        report.text = text_of(ids, &report, options);
    }
    json.print(&serde_json::to_value(&report)?, || {
        match (&report.text, &report.output_ids) {
            (Some(text), _) => {
                print!("{text}");
                let _ = std::io::stdout().flush();
                println!();
            }
            (None, Some(ids)) => println!("{ids:?}"),
            (None, None) => {}
        }
        eprintln!("{}", report.summary());
    });
    if report.is_answered() {
        Ok(())
    } else {
        bail!("{}", report.summary())
    }
}

/// The output as text, where a tokenizer can be had: from the folder given, or from the checkpoint's blobs.
fn text_of(ids: &[u32], report: &JobReport, options: &FollowOptions) -> Option<String> {
    let temporary;
    let folder = match &options.model {
        Some(folder) => folder.clone(),
        None => {
            let store = BlobStore::open_dir(&options.blob_dir).ok()?;
            let manifest = Manifest::open(&store, &report.checkpoint).ok()?;
            let tokenizer = manifest
                .files
                .iter()
                .find(|file| file.name == "tokenizer.json")?;
            let bytes = store.read_all(&tokenizer.root, MAX_TOKENIZER_BYTES).ok()?;
            temporary =
                std::env::temp_dir().join(format!("chasqui-tokenizer-{}", std::process::id()));
            std::fs::create_dir_all(&temporary).ok()?;
            std::fs::write(temporary.join("tokenizer.json"), bytes).ok()?;
            temporary.clone()
        }
    };
    let path = folder.join("tokenizer.json");
    let tokenizer = Tokenizer::from_file(&path, usize::MAX).ok()?;
    let text = tokenizer.decode(ids, true).ok();
    if options.model.is_none() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    text
}
