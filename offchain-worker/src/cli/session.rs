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
    sessions::{
        accuse,
        client::{self, Asker},
        ours,
    },
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
    /// Report an answer as false, with its receipt from this client's journal: a case of its own.
    Report(ReportCommand),
    /// Prove that an operator signed two receipts for one request, with both from this client's journal.
    ProveFraud(ProveFraudCommand),
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

/// Report an answer. A deposit is on hold until the case ends; if the answer is found valid, it is lost to those who
/// looked. An answer can be reported until the takings that it was settled in are decided.
#[derive(Debug, clap::Args)]
pub struct ReportCommand {
    /// The session.
    #[arg(value_name = "SESSION", value_parser = parse_hash)]
    pub session: H256,
    #[command(flatten)]
    pub key: KeyOptions,
    /// Who gave the answer.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
    pub operator: AccountId32,
    /// Its number, as `session ask --json` says in `sequence`.
    #[arg(long, value_name = "N")]
    pub sequence: u64,
    /// Folder of this client's journals.
    #[arg(long, value_name = "DIR", default_value_os_t = data_dir("sessions"))]
    pub journal_dir: PathBuf,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Prove fraud. Free when it succeeds; whoever proves it has a part of the slash.
#[derive(Debug, clap::Args)]
pub struct ProveFraudCommand {
    /// The session.
    #[arg(value_name = "SESSION", value_parser = parse_hash)]
    pub session: H256,
    #[command(flatten)]
    pub key: KeyOptions,
    /// Whose. Default: everybody in the session's committee.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
    pub operator: Option<AccountId32>,
    /// Folder of this client's journals.
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
            Self::Report(command) => command.run().await,
            Self::ProveFraud(command) => command.run().await,
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

impl ReportCommand {
    async fn run(self) -> Result<()> {
        let signer = self.key.signer()?;
        let chain = self.node.connect().await?;
        let evidence = {
            let journal = client::journal(&chain, &signer, &self.journal_dir)?;
            accuse::evidence(
                &journal,
                &self.session,
                &ours(&self.operator),
                self.sequence,
            )?
        };
        let (node, (request, receipt)) = (&chain, &evidence);
        let (report, deposit) = self
            .key
            .sign(node, |signer| async move {
                accuse::report(node, &signer, request, receipt).await
            })
            .await?;
        let value = json!({ "report": report, "deposit": deposit.to_string() });
        self.json.print(&value, || {
            println!(
                "report {report}: auditors look at the answer; {} is on hold until they have decided",
                format_dot(deposit)
            )
        });
        Ok(())
    }
}

impl ProveFraudCommand {
    async fn run(self) -> Result<()> {
        let signer = self.key.signer()?;
        let chain = self.node.connect().await?;
        let operators = match &self.operator {
            Some(operator) => vec![ours(operator)],
            None => {
                let head = chain.head().await?;
                let session = crate::sessions::view::session(&head, &self.session).await?;
                let session = session.with_context(|| {
                    format!("session {:?} is over, or was never opened", self.session)
                })?;
                session.committee.0.iter().map(ours).collect()
            }
        };
        let proofs = {
            let journal = client::journal(&chain, &signer, &self.journal_dir)?;
            let mut proofs = Vec::new();
            for operator in &operators {
                let found = accuse::contradictions(&journal, &self.session, operator)?;
                // One proves as much as many.
                proofs.extend(found.into_iter().next());
            }
            proofs
        };
        if proofs.is_empty() {
            bail!("the journal holds no two receipts for one request in this session; report a false answer instead");
        }
        let node = &chain;
        let mut proven = Vec::new();
        for (first, second) in &proofs {
            let (slashed, forfeited) = self
                .key
                .sign(node, |signer| async move {
                    accuse::prove_fraud(node, &signer, first, second).await
                })
                .await?;
            proven.push(json!({
                "operator": first.receipt.operator.to_string(),
                "sequence": first.receipt.seq,
                "slashed": slashed.to_string(),
                "forfeited": forfeited.to_string(),
            }));
        }
        self.json.print(&json!(proven), || {
            for proof in &proven {
                println!("{proof:#}");
            }
        });
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
