//! `session`: one deposit, many answers at network speed.

use super::{
    job::PromptOptions,
    options::{
        format_dot, parse_account, parse_dot, parse_hash, JsonOption, KeyOptions, NodeOptions,
    },
};
use crate::{
    blobs::BlobStore,
    config::{data_dir, default_blob_dir},
    prompt,
    receipt::finish_name,
    sampling::{SamplingDefaults, SamplingOptions},
    sessions::client::{self, Asker},
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, AccountId32, H256};
use chasqui_primitives::Balance;
use chasqui_session::client::Question;
use parity_scale_codec::Encode;
use serde_json::json;
use std::{
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Pay once, ask often: answers stream straight from an operator.
#[derive(Debug, clap::Subcommand)]
pub enum SessionCommand {
    /// Put a deposit down and have a committee of operators drawn.
    Open(OpenCommand),
    /// Ask; the answer streams.
    Ask(Box<AskCommand>),
    /// Show a session with its channels.
    Show {
        /// The session.
        #[arg(value_name = "SESSION", value_parser = parse_hash)]
        session: H256,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// List a client's live sessions.
    List {
        /// Whose.
        #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
        client: AccountId32,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Put more into a session.
    TopUp(TopUpCommand),
    /// Have another committee drawn, once another epoch runs.
    Renew(EndCommand),
    /// End a session: what was served is still settled for a while, then the rest of the deposit returns.
    Close(EndCommand),
}

/// Open a session.
#[derive(Debug, clap::Args)]
pub struct OpenCommand {
    #[command(flatten)]
    pub key: KeyOptions,
    /// The checkpoint, by root. See `checkpoint list`.
    #[arg(long, value_name = "ROOT", value_parser = parse_hash)]
    pub checkpoint: H256,
    /// Deposit in DOT. A fifth of it must be spent, or what is short of that is forfeited at the end.
    #[arg(long, value_name = "DOT", value_parser = parse_dot)]
    pub deposit: Balance,
    /// Wait so long for the committee; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Ask in a session.
#[derive(Debug, clap::Args)]
pub struct AskCommand {
    /// The session.
    #[arg(value_name = "SESSION", value_parser = parse_hash)]
    pub session: H256,
    #[command(flatten)]
    pub key: KeyOptions,
    #[command(flatten)]
    pub prompt: PromptOptions,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    /// Model folder, for its tokenizer. Default: the checkpoint's from the blob folder, if it is there.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Folder of blobs: the checkpoint's tokenizer is read from it.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    /// Folder of this client's journals: what it signed and waits for. Never use one key with two of them.
    #[arg(long, value_name = "DIR", default_value_os_t = data_dir("sessions"))]
    pub journal_dir: PathBuf,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Put more into a session.
#[derive(Debug, clap::Args)]
pub struct TopUpCommand {
    /// The session.
    #[arg(value_name = "SESSION", value_parser = parse_hash)]
    pub session: H256,
    #[command(flatten)]
    pub key: KeyOptions,
    /// How much, in DOT.
    #[arg(long, value_name = "DOT", value_parser = parse_dot)]
    pub amount: Balance,
    /// Give it to this operator's slice; else it stays free until the next committee is drawn.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
    pub operator: Option<AccountId32>,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// What needs a session and a key.
#[derive(Debug, clap::Args)]
pub struct EndCommand {
    /// The session.
    #[arg(value_name = "SESSION", value_parser = parse_hash)]
    pub session: H256,
    #[command(flatten)]
    pub key: KeyOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl SessionCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Open(command) => command.run().await,
            Self::Ask(command) => command.run().await,
            Self::Show {
                session,
                node,
                json,
            } => {
                let head = node.connect().await?.head().await?;
                let found = client::session_json(&head, &session).await?;
                let found = found.with_context(|| {
                    format!("session {session:?} is unknown: never opened, or closed")
                })?;
                json.print(&found, || println!("{found:#}"));
                Ok(())
            }
            Self::List {
                client: of,
                node,
                json,
            } => {
                let head = node.connect().await?.head().await?;
                let mut sessions = Vec::new();
                for id in client::sessions_of(&head, &of).await? {
                    sessions.extend(client::session_json(&head, &id).await?);
                }
                json.print(&json!(sessions), || {
                    if sessions.is_empty() {
                        println!("no live sessions");
                    }
                    for session in &sessions {
                        println!("{:#}", session);
                    }
                });
                Ok(())
            }
            Self::TopUp(command) => command.run().await,
            Self::Renew(command) => {
                let call = api::tx().sessions().renew(command.session);
                command
                    .submit(&call, "another committee will be drawn")
                    .await
            }
            Self::Close(command) => {
                let call = api::tx().sessions().close(command.session);
                let words =
                    "closing; the rest of the deposit returns when the close window is over";
                command.submit(&call, words).await
            }
        }
    }
}

impl OpenCommand {
    async fn run(self) -> Result<()> {
        self.key.signer()?;
        let chain = self.node.connect().await?;
        let (node, root, deposit) = (&chain, self.checkpoint, self.deposit);
        let session = self
            .key
            .sign(node, |signer| async move {
                client::open(node, &signer, root, deposit).await
            })
            .await?;
        let committee = match self.timeout {
            0 => Vec::new(),
            seconds => {
                let timeout = Duration::from_secs(seconds);
                client::committee(&chain, &session, timeout).await?
            }
        };
        let committee: Vec<String> = committee.iter().map(ToString::to_string).collect();
        let value = json!({ "session": format!("{session:?}"), "committee": committee });
        self.json.print(&value, || {
            println!("{session:?}");
            for (index, operator) in committee.iter().enumerate() {
                let role = if index == 0 { "primary" } else { "backup" };
                eprintln!("{role} {operator}");
            }
        });
        Ok(())
    }
}

impl AskCommand {
    async fn run(self) -> Result<()> {
        let sampling = self.sampling.to_sampling(&SamplingDefaults::default())?;
        let asked = self.prompt.asked()?;
        let signer = self.key.signer()?;
        let chain = self.node.connect().await?;
        let head = chain.head().await?;
        let session = crate::sessions::view::session(&head, &self.session).await?;
        let session = session.with_context(|| {
            format!(
                "session {:?} is unknown: never opened, or closed; see `session list`",
                self.session
            )
        })?;
        let store = BlobStore::open_dir(&self.blob_dir)
            .with_context(|| format!("--blob-dir {}", self.blob_dir.display()))?;
        let tokenizer = prompt::tokenizer(self.model.as_deref(), &store, &session.checkpoint);
        // Without one, ids can still be asked and shown.
        let ids =
            asked.ids(|| prompt::tokenizer(self.model.as_deref(), &store, &session.checkpoint))?;
        let asker = Asker::open(chain, signer, &self.journal_dir)?;
        let question = Question {
            prompt: ids,
            sampling,
            top_logprobs: None,
            unit_price: None,
        };
        let started = Instant::now();
        let mut first = None;
        let mut stream = tokenizer
            .as_ref()
            .ok()
            .map(|tokenizer| tokenizer.stream(true));
        let quiet = self.json.json;
        let (finished, operator) = asker
            .ask(
                &self.session,
                question,
                |token| {
                    first.get_or_insert_with(|| started.elapsed());
                    let piece = match &mut stream {
                        Some(text) => text.push(token.id)?,
                        None => format!("{} ", token.id),
                    };
                    if !quiet {
                        let mut out = std::io::stdout().lock();
                        out.write_all(piece.as_bytes())?;
                        out.flush()?;
                    }
                    Ok(())
                },
                |operator, error| eprintln!("{operator} does not answer: {error}"),
            )
            .await?;
        let rest = stream.map(|stream| stream.finish()).transpose()?;
        let text = tokenizer
            .as_ref()
            .ok()
            .map(|tokenizer| tokenizer.decode(&finished.output, true))
            .transpose()?;
        let receipt = &finished.receipt.receipt;
        let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
        let value = json!({
            "session": format!("{:?}", self.session),
            "operator": operator.to_string(),
            "sequence": receipt.seq,
            "text": text,
            "outputIds": finished.output,
            "promptTokens": receipt.prompt_tokens,
            "outputTokens": receipt.output_tokens,
            "finish": finish_name(receipt.finish),
            "cutShort": finished.cut_short,
            "price": receipt.price.to_string(),
            "receipt": format!("0x{}", hex::encode(finished.receipt.encode())),
            "firstTokenMs": first.map(milliseconds),
            "totalMs": milliseconds(started.elapsed()),
        });
        self.json.print(&value, || {
            println!("{}", rest.unwrap_or_default());
            eprintln!(
                "{} tokens by {operator} for {}, receipt {} checked",
                receipt.output_tokens,
                format_dot(receipt.price),
                receipt.seq
            );
        });
        if finished.cut_short {
            bail!("the operator ended the answer early; it costs what was delivered");
        }
        Ok(())
    }
}

impl TopUpCommand {
    async fn run(self) -> Result<()> {
        let chain = self.node.connect().await?;
        let (node, session, amount) = (&chain, self.session, self.amount);
        let operator = self.operator;
        self.key
            .sign(node, |signer| async move {
                let call = api::tx().sessions().top_up(session, amount);
                node.submit(&signer, &call).await?;
                match operator {
                    Some(operator) => {
                        let operator = crate::sessions::ours(&operator);
                        client::grow(node, &signer, session, &operator, amount).await
                    }
                    None => Ok(()),
                }
            })
            .await?;
        self.json
            .print(&json!({ "added": amount.to_string() }), || {
                println!("{} added", format_dot(amount))
            });
        Ok(())
    }
}

impl EndCommand {
    async fn submit<Call: subxt::tx::Payload>(&self, call: &Call, words: &str) -> Result<()> {
        let chain = self.node.connect().await?;
        let node = &chain;
        self.key
            .sign(node, |signer| async move {
                node.submit(&signer, call).await.map(drop)
            })
            .await?;
        let session = format!("{:?}", self.session);
        self.json
            .print(&json!({ "session": session }), || println!("{words}"));
        Ok(())
    }
}
