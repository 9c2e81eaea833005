//! `job`: submit, watch, list.

use super::{
    failure::Failure,
    options::{format_dot, parse_dot, parse_hash, parse_ids, JsonOption, KeyOptions, NodeOptions},
};
use crate::{
    blobs::BlobStore,
    client::{self, JobReport, Request, Watcher},
    config::default_blob_dir,
    prompt::{self, Asked},
    sampling::{SamplingDefaults, SamplingOptions},
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{AccountId32, Chain, H256};
use chasqui_primitives::{Balance, JobClass, JobId, Prompt};
use serde_json::json;
use std::{io::Write, path::PathBuf};

/// Buy completions.
#[derive(Debug, clap::Subcommand)]
pub enum JobCommand {
    /// Submit a prompt, and with --wait follow it until it is paid for.
    ///
    /// A prompt of at most 8,192 bytes of text or 2,048 token ids goes on chain. A longer one, or any with --as-blob,
    /// goes as a blob of token ids into --blob-dir, and only its root, hash and length go on chain. Blobs do not travel
    /// over the network yet: executors and auditors find it where they share that folder, or where the blob's two files
    /// were copied into theirs before the job is drawn. An executor that does not find it refuses; the job then
    /// expires, and costs the base fee.
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
    /// Put the prompt into the blob folder even where it would fit on chain. Text is tokenized here, so the escrow
    /// counts its tokens and not its bytes.
    #[arg(long)]
    pub as_blob: bool,
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
    /// File with the text, UTF-8, taken as it is: a line feed at its end is part of the prompt.
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// Token ids, comma-separated, beginning-of-sequence included.
    #[arg(long, value_name = "IDS")]
    pub ids: Option<String>,
}

/// What to do with the answer.
#[derive(Clone, Debug, clap::Args)]
pub struct FollowOptions {
    /// Model folder, for its tokenizer. Default: the checkpoint's from the blob folder, if it is there.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Folder of blobs: the checkpoint's tokenizer is read from it, a long prompt is put into it.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    /// Write the executor's signed receipt here.
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Stop following after this many seconds; the job goes on.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
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

impl PromptOptions {
    pub(super) fn asked(&self) -> Result<Asked> {
        match (&self.prompt, &self.prompt_file, &self.ids) {
            (Some(text), None, None) => Ok(Asked::Text(text.clone())),
            (None, Some(file), None) => Asked::from_file(file),
            (None, None, Some(ids)) => Ok(Asked::Ids(parse_ids(ids)?)),
            _ => bail!("give one of --prompt, --prompt-file and --ids"),
        }
    }
}

impl SubmitCommand {
    async fn run(self) -> Result<()> {
        let sampling = self.sampling.to_sampling(&SamplingDefaults::default())?;
        let asked = self.prompt.asked()?;
        // A key that cannot be read is said before anything else is done.
        self.key.signer()?;
        let chain = self.node.connect().await?;
        let salt = client::fresh_salt()?;
        let prompt = match asked.inline() {
            Some(prompt) if !self.as_blob => prompt,
            _ => {
                self.to_blob(asked, sampling.max_tokens, &chain, &salt)
                    .await?
            }
        };
        let blob = match &prompt {
            Prompt::Blob { root, .. } => Some(format!("{root:?}")),
            _ => None,
        };
        let request = Request {
            checkpoint: self.checkpoint,
            prompt,
            salt,
            sampling,
            max_price: self.max_price,
            class: match self.premium {
                true => JobClass::Premium,
                false => JobClass::Standard,
            },
        };
        let (chain, key) = (&chain, &self.key);
        let submitted = key
            .sign(chain, |signer| async move {
                client::submit(chain, &signer, request).await
            })
            .await?;
        if !self.json.json {
            eprintln!(
                "job {} submitted, at most {}",
                submitted.job,
                format_dot(submitted.escrow)
            );
        }
        if self.wait {
            let from = Some(submitted.block);
            return follow(chain, submitted.job, from, &self.follow, self.json).await;
        }
        self.json.print(
            &json!({
                "job": submitted.job,
                "escrow": submitted.escrow.to_string(),
                "block": submitted.block,
                "promptBlob": blob,
            }),
            || println!("{}", submitted.job),
        );
        Ok(())
    }

    /// The prompt as a blob in the blob folder, and words about it.
    async fn to_blob(
        &self,
        asked: Asked,
        max_tokens: u32,
        chain: &Chain,
        salt: &[u8; 32],
    ) -> Result<Prompt> {
        let why = match asked.inline() {
            Some(_) => "as asked".to_string(),
            None => format!("because it has {}", asked.size()),
        };
        let folder = &self.follow.blob_dir;
        let store = BlobStore::open_dir(folder)
            .with_context(|| format!("--blob-dir {}", folder.display()))?;
        let ids = asked.ids(|| {
            prompt::tokenizer(self.follow.model.as_deref(), &store, &self.checkpoint)
                .context("a prompt in a blob is token ids, so its text is tokenized here")
        })?;
        let head = chain.head().await?;
        client::check_ids(&head, &self.checkpoint, &ids, max_tokens).await?;
        let prompt = prompt::to_blob(&ids, &chain.genesis(), salt, &store)?;
        if let (Prompt::Blob { root, .. }, false) = (&prompt, self.json.json) {
            eprintln!("prompt of {} tokens sent as a blob, {why}", ids.len());
            eprintln!("  blob {root:?} in {}", folder.display());
            eprintln!(
                "  executors and auditors read it from there: they need that folder, or a copy"
            );
        }
        Ok(prompt)
    }
}

async fn follow(
    chain: &Chain,
    job: JobId,
    from: Option<u32>,
    options: &FollowOptions,
    json: JsonOption,
) -> Result<()> {
    let again = |words: String| {
        Failure::new(format!(
            "{words}; `chasqui-worker job watch {job}` follows it on"
        ))
        .with(json!({ "job": job }))
    };
    let limit = std::time::Duration::from_secs(options.timeout);
    let mut watcher = Watcher::new(chain.clone(), job, from);
    let quiet = json.json;
    let closed = watcher.until_closed(|step| {
        if !quiet {
            eprintln!("  {step}");
        }
    });
    let mut report: JobReport = match tokio::time::timeout(limit, closed).await {
        Ok(report) => report.map_err(|error| again(format!("{error:#}")))?,
        Err(_) => {
            let words = format!("job {job} is not closed after {} s", options.timeout);
            return Err(again(words).into());
        }
    };
    if let (Some(path), Some(receipt)) = (&options.receipt, &report.receipt) {
        receipt.save(path)?;
    }
    let mut no_text = None;
    if let Some(ids) = &report.output_ids {
        match text_of(ids, &report, options) {
            Ok(text) => report.text = Some(text),
            Err(error) => no_text = Some(format!("{error:#}")),
        }
    }
    let value = serde_json::to_value(&report)?;
    let show = || {
        match (&report.text, &report.output_ids) {
            (Some(text), _) => {
                print!("{text}");
                let _ = std::io::stdout().flush();
                println!();
            }
            (None, Some(ids)) => println!("{ids:?}"),
            (None, None) => {}
        }
        if let Some(reason) = &no_text {
            eprintln!("token ids, because there is no tokenizer: {reason}");
        }
    };
    if !report.is_answered() {
        if !json.json {
            show();
        }
        return Err(Failure::new(report.summary()).with(value).into());
    }
    json.print(&value, || {
        show();
        eprintln!("{}", report.summary());
    });
    Ok(())
}

/// The output as text, where a tokenizer can be had.
fn text_of(ids: &[u32], report: &JobReport, options: &FollowOptions) -> Result<String> {
    let store = BlobStore::open_dir(&options.blob_dir)?;
    let tokenizer = prompt::tokenizer(options.model.as_deref(), &store, &report.checkpoint)?;
    Ok(tokenizer.decode(ids, true)?)
}
