//! The gateway's options about the chain: which checkpoints it sells, out of whose money, and within which bounds.

use super::options::{format_dot, parse_dot, parse_hash, KeyOptions};
use crate::{
    blobs::BlobStore,
    config::{data_dir, default_blob_dir, DEFAULT_NODE},
    models::ModelCache,
    registry,
    sessions::{
        client::journal_file,
        gateway::{
            audit::{Auditor, WHOLE},
            chain::{params, takes_payment, ChainTreasury, SessionParams},
            client_config,
            follow::follow,
            model::{is_model_id, Described},
            operators::Operators,
            pool::PoolConfig,
            Parts, SessionUpstream,
        },
        ours, view, SessionKey,
    },
    view::fetch,
};
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::{api, Chain, Head, Signer, H256};
use chasqui_engine::batch;
use chasqui_gateway::LiveFeed;
use chasqui_primitives::{Balance, CheckpointRoot, DOT};
use chasqui_session::{journal::ClientJournal, Client};
use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

/// Answers of a channel that the journal keeps: as many as may wait for an audit, and some.
const KEPT_ANSWERS: u64 = 1_024;
/// What stays free on the account for fees, in planck (0.05 DOT).
const FEES: Balance = DOT / 20;
/// A session that nobody needed for so long is surplus.
const LINGER: Duration = Duration::from_secs(300);
/// How long the start waits for sessions that can serve.
const WARM: Duration = Duration::from_secs(60);

/// A checkpoint, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Every one that can be served.
    All,
    /// This one.
    Root(H256),
}

fn parse_wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "all" => Ok(Wanted::All),
        root => parse_hash(root)
            .map(Wanted::Root)
            .map_err(|error| format!("{error}, nor `all`; see `chasqui-worker checkpoint list`")),
    }
}

fn parse_share(text: &str) -> Result<u32, String> {
    let wrong = || format!("'{text}' is no share: expected a number from 0 to 1 such as 0.05");
    let share: f64 = text.parse().map_err(|_| wrong())?;
    match (0.0..=1.0).contains(&share) {
        true => Ok((share * f64::from(WHOLE)).round() as u32),
        false => Err(wrong()),
    }
}

/// Models that operators of the chain compute, paid for in sessions.
#[derive(Debug, Clone, clap::Args)]
pub struct SessionsOptions {
    /// A checkpoint of the chain by its root, served under its registered name; may be repeated. `all`: every one that
    /// takes payment and whose tokenizer is in the blob folder.
    #[arg(long = "checkpoint", value_name = "ROOT|all", value_parser = parse_wanted)]
    pub checkpoints: Vec<Wanted>,
    /// RPC address of the node; with it the live page shows the chain. Default with --checkpoint: ws://127.0.0.1:9944.
    #[arg(long, value_name = "URL")]
    pub node: Option<String>,
    /// Secret URI of the key that pays: a phrase, a 0x seed, or a derivation such as //Alice (development only). Where
    /// money is at stake use --key-file.
    #[arg(
        long,
        value_name = "SURI",
        requires = "checkpoints",
        conflicts_with = "key_file"
    )]
    pub key: Option<String>,
    /// File with the secret URI of the key that pays in its first line.
    #[arg(long, value_name = "FILE", requires = "checkpoints")]
    pub key_file: Option<PathBuf>,
    /// Most sessions of a checkpoint: each serves one request at a time.
    #[arg(long, value_name = "N", default_value_t = 8, requires = "checkpoints")]
    pub sessions: usize,
    /// Deposit of a session. A fifth of it must be spent, or what is short of that is forfeited when it is closed.
    #[arg(long, value_name = "DOT", default_value = "1", value_parser = parse_dot)]
    pub deposit: Balance,
    /// The most that all sessions together may hold, their storage deposits included.
    #[arg(long, value_name = "DOT", default_value = "10", value_parser = parse_dot)]
    pub budget: Balance,
    /// Close every session when the gateway stops; else the next one goes on with them.
    #[arg(long, requires = "checkpoints")]
    pub close_on_stop: bool,
    /// Share of the answers that are replayed with the model, where its weights are in the blob folder.
    #[arg(long, value_name = "0..1", default_value = "0.05", value_parser = parse_share)]
    pub audit_share: u32,
    /// Most models in memory for that; 0 replays nothing.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub audit_models: usize,
    /// Report answers that a replay found false to the chain: a deposit is lost if auditors see it differently.
    #[arg(long, requires = "checkpoints")]
    pub report: bool,
    /// Folder of the key's journal: what was signed and is waited for. Never use one key with two of them.
    #[arg(long, value_name = "DIR", default_value_os_t = data_dir("sessions"))]
    pub journal_dir: PathBuf,
    /// Folder of blobs: checkpoints' tokenizers, and weights for audits.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
}

/// What the gateway has on the chain.
#[derive(Default)]
pub struct OnChain {
    /// Its upstream, where checkpoints are served.
    pub upstream: Option<SessionUpstream>,
    /// The live page's source.
    pub live: Option<Arc<LiveFeed>>,
    /// Names of its models.
    pub models: Vec<String>,
}

impl SessionsOptions {
    /// Whether a node is to be spoken to.
    fn node(&self) -> Option<&str> {
        let default = (!self.checkpoints.is_empty()).then_some(DEFAULT_NODE);
        self.node.as_deref().or(default)
    }

    fn signer(&self) -> Result<Signer> {
        let key = KeyOptions {
            key: self.key.clone(),
            key_file: self.key_file.clone(),
        };
        ensure!(
            key.key.is_some() || key.key_file.is_some(),
            "--checkpoint: who pays? Give --key-file FILE with the key of a funded account"
        );
        key.signer()
    }

    /// Refuses what cannot work, before anybody is asked.
    ///
    /// # Errors
    /// Names the option and what to do.
    pub fn check(&self) -> Result<()> {
        if self.checkpoints.is_empty() {
            return Ok(());
        }
        self.signer()?;
        ensure!(
            (1..=256).contains(&self.sessions),
            "--sessions: {} is out of range; give 1 to 256",
            self.sessions
        );
        ensure!(self.deposit > 0, "--deposit: is 0; give some DOT");
        ensure!(
            self.deposit <= self.budget,
            "--budget: {} is less than one --deposit of {}",
            format_dot(self.budget),
            format_dot(self.deposit)
        );
        Ok(())
    }

    /// Connects, opens the journal, and begins to keep sessions and the live page.
    ///
    /// # Errors
    /// Names what is missing or wrong, and the option to mend it.
    pub async fn start(&self) -> Result<OnChain> {
        let Some(node) = self.node() else {
            return Ok(OnChain::default());
        };
        let chain = Chain::connect(node, None).await.context("--node")?;
        let live = Arc::new(LiveFeed::default());
        let mut on_chain = OnChain {
            live: Some(live.clone()),
            ..OnChain::default()
        };
        let mut own = None;
        if !self.checkpoints.is_empty() {
            let signer = self.signer()?;
            own = Some(signer.account());
            let (upstream, models) = self.upstream(&chain, signer, live.clone()).await?;
            on_chain.upstream = Some(upstream);
            on_chain.models = models;
        }
        tokio::spawn(follow(chain, live, own));
        Ok(on_chain)
    }

    async fn upstream(
        &self,
        chain: &Chain,
        signer: Signer,
        live: Arc<LiveFeed>,
    ) -> Result<(SessionUpstream, Vec<String>)> {
        let blobs = BlobStore::open_dir(&self.blob_dir)
            .with_context(|| format!("--blob-dir {}", self.blob_dir.display()))?;
        let head = chain.head().await?;
        let params = params(&head).await?;
        ensure!(
            self.deposit >= params.min_deposit,
            "--deposit: {} is less than the {} that this chain asks for",
            format_dot(self.deposit),
            format_dot(params.min_deposit)
        );
        let least = self.deposit.saturating_add(params.storage_deposit);
        ensure!(
            self.budget >= least,
            "--budget: {} does not pay for one session: {} of deposit and {} for its storage",
            format_dot(self.budget),
            format_dot(self.deposit),
            format_dot(params.storage_deposit)
        );
        let described = self.described(&head, &blobs).await?;
        let roots: Vec<CheckpointRoot> = described.iter().map(|one| one.checkpoint).collect();
        let names: Vec<String> = described.iter().map(|one| one.id().to_string()).collect();

        let treasury = Arc::new(ChainTreasury::new(chain.clone(), signer.clone(), roots));
        let client = self.client(chain, &signer, &treasury)?;
        let auditor = (self.audit_share > 0 && self.audit_models > 0).then(|| {
            let models = ModelCache::new(
                blobs,
                self.journal_dir.join("models"),
                "cpu",
                batch::Limits::default(),
                self.audit_models,
            );
            Auditor::new(
                self.audit_share,
                Arc::new(models),
                treasury.clone(),
                self.report,
            )
        });
        let upstream = SessionUpstream::start(Parts {
            client,
            treasury: treasury.clone(),
            pool: self.pool(&params),
            described,
            operators: self.operators(chain, &signer)?,
            auditor,
            court: treasury.clone(),
            live: Some(live),
        })
        .await?;
        if !upstream.has_sessions() {
            let account = signer.account();
            let (free, _) = registry::balance(&head, &account).await?;
            ensure!(
                free >= least.saturating_add(FEES),
                "--key-file: {account} holds {}; a session takes {} and fees: send it DOT with `chasqui-worker account \
                 transfer --to {account} --amount {}`, or lower --deposit",
                format_dot(free),
                format_dot(least),
                least.div_ceil(DOT).saturating_add(1)
            );
        }
        if let Err(reason) = upstream.warm(WARM).await {
            tracing::warn!(reason, "no session can serve yet; requests wait");
        }
        Ok((upstream, names))
    }

    fn pool(&self, params: &SessionParams) -> PoolConfig {
        PoolConfig {
            most_sessions: self.sessions,
            deposit: self.deposit,
            budget: self.budget,
            storage: params.storage_deposit,
            fees: FEES,
            linger: u64::try_from(LINGER.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Operators that were found false before.
    fn operators(&self, chain: &Chain, signer: &Signer) -> Result<Operators> {
        let (genesis, account) = (chain.genesis(), signer.account());
        let file = journal_file(&self.journal_dir, &genesis, &account).with_extension("false");
        let operators = Operators::open(file.clone());
        operators.with_context(|| format!("--journal-dir: reading {}", file.display()))
    }

    fn client(&self, chain: &Chain, signer: &Signer, treasury: &ChainTreasury) -> Result<Client> {
        let folder = &self.journal_dir;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--journal-dir: creating {}", folder.display()))?;
        let (genesis, account) = (chain.genesis(), signer.account());
        let file = journal_file(folder, &genesis, &account);
        let journal = ClientJournal::open(&file, genesis, ours(&account), KEPT_ANSWERS)
            .context("--journal-dir")?;
        let client = Client::new(
            client_config(),
            treasury.mirror(),
            Arc::new(SessionKey(signer.clone())),
            Arc::new(journal),
        )?;
        Ok(client)
    }

    /// The checkpoints that are named, or those that can be served.
    async fn described(&self, head: &Head, blobs: &BlobStore) -> Result<Vec<Described>> {
        let mut roots: Vec<(CheckpointRoot, bool)> = Vec::new();
        for wanted in &self.checkpoints {
            match wanted {
                Wanted::Root(root) => roots.push((*root, true)),
                Wanted::All => {
                    let all = registered(head).await?;
                    roots.extend(all.into_iter().map(|root| (root, false)));
                }
            }
        }
        let mut seen = HashSet::new();
        let mut names = HashSet::new();
        let mut described = Vec::new();
        for (root, named) in roots {
            if !seen.insert(root) {
                continue;
            }
            match describe(head, blobs, root, &mut names).await {
                Ok(one) => described.push(one),
                Err(error) if named => {
                    return Err(error.context(format!("--checkpoint {root:?}")));
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::info!(?root, error, "this checkpoint is not served");
                }
            }
        }
        ensure!(
            !described.is_empty(),
            "--checkpoint all: none takes payment and has its tokenizer in --blob-dir {}; see `chasqui-worker checkpoint \
             list`",
            self.blob_dir.display()
        );
        Ok(described)
    }
}

/// The roots of all registered checkpoints.
async fn registered(head: &Head) -> Result<Vec<CheckpointRoot>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().checkpoints().registry())?;
    let mut items = entry.iter(()).await?;
    let mut roots = Vec::new();
    while let Some(item) = items.next().await {
        roots.push(item?.key()?.decode()?.0);
    }
    Ok(roots)
}

async fn describe(
    head: &Head,
    blobs: &BlobStore,
    root: CheckpointRoot,
    names: &mut HashSet<String>,
) -> Result<Described> {
    let registry = api::storage().checkpoints().registry();
    let record = fetch!(head, registry, (root,));
    let record = record.context(
        "is not registered on this chain: give a root out of `chasqui-worker checkpoint list`, or another --node",
    )?;
    let Some(terms) = view::terms(head, &root).await? else {
        bail!("takes no payment: it is not accepted, or is retired; see `chasqui-worker checkpoint list`");
    };
    ensure!(
        takes_payment(head, &root).await?,
        "takes no payment: too few independent validators serve it; choose another (`chasqui-worker checkpoint list`), \
         or wait for more (`chasqui-worker operator list`)"
    );
    let name = String::from_utf8_lossy(&record.info.name.0).into_owned();
    // Two of one name could not be told apart.
    let id = match is_model_id(&name) && !names.contains(&name) {
        true => name,
        false => format!("{root:?}"),
    };
    names.insert(id.clone());
    Described::read(blobs, root, &terms, id).context(
        "its tokenizer cannot be read: give the folder of its blobs by --blob-dir (`chasqui-worker model import` makes \
         them)",
    )
}
