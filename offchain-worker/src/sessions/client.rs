//! A client's side: opens a session, asks along its committee, ends it.

use super::{ours, theirs, view, view::Finalised, SessionKey};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head, Signer};
use chasqui_primitives::{session::SessionId, Balance, CheckpointRoot};
use chasqui_session::{
    client::{Answer, Finished, Output, Question, Retry},
    journal::ClientJournal,
    wire::Token,
    AccountId, ChainView, Client, ClientConfig, ClientError,
};
use serde_json::{json, Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Answers of a channel that a client's journal keeps.
const KEPT_ANSWERS: u64 = 1_024;

/// Opens a session and returns its name. Requests are signed by the client's own key.
///
/// # Errors
/// The node or the chain refuses it, in their words.
pub async fn open(
    chain: &Chain,
    signer: &Signer,
    checkpoint: CheckpointRoot,
    deposit: Balance,
) -> Result<SessionId> {
    let call = api::tx().sessions().open(checkpoint, deposit, None);
    let included = chain.submit(signer, &call).await?;
    let opened = included
        .events
        .find_first::<api::sessions::events::Opened>()
        .context("the session was opened, but no event tells its name")??;
    Ok(opened.session)
}

/// Waits until a committee is drawn and final; primary first.
///
/// # Errors
/// The session is not there, nobody serves its checkpoint, or it takes longer than `timeout`.
pub async fn committee(
    chain: &Chain,
    session: &SessionId,
    timeout: Duration,
) -> Result<Vec<AccountId>> {
    let wait = async {
        let mut seen = 0;
        loop {
            let head = chain.next_head(seen).await?;
            seen = head.number;
            let Some(found) = view::session(&head, session).await? else {
                // It may be a block too early for what was just opened.
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            let committee = &found.committee.0;
            if !committee.is_empty() {
                return Ok(committee.iter().map(ours).collect());
            }
            if found.drawn_in.is_some() && found.draw.is_none() {
                bail!(
                    "no operator that may serve session {session:?} was there to be drawn; see `operator list`, and \
                     have another committee drawn in the next epoch, or close the session"
                );
            }
        }
    };
    match tokio::time::timeout(timeout, wait).await {
        Ok(outcome) => outcome,
        Err(_) => bail!(
            "session {session:?} has no committee after {} s; `session show` tells when it has",
            timeout.as_secs()
        ),
    }
}

/// Asks operators in the name of one key, with its journal.
pub struct Asker {
    client: Client,
    chain: Finalised,
}

impl Asker {
    /// With the journal of this key in `folder`.
    ///
    /// # Errors
    /// The journal is in use, damaged, or another chain's.
    pub fn open(chain: Chain, signer: Signer, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let genesis = chain.genesis();
        let file = journal_file(folder, &genesis, &signer.account());
        let journal = open_journal(&file, &chain, &signer)?;
        let chain = Finalised::new(chain);
        let client = Client::new(
            ClientConfig::default(),
            Arc::new(chain.clone()),
            Arc::new(SessionKey(signer)),
            Arc::new(journal),
        )?;
        Ok(Self { client, chain })
    }

    /// Asks the committee in its order, going on to the next while no token has come; `on_token` sees each. Returns the
    /// answer and who gave it. `on_refusal` hears why somebody was passed over.
    ///
    /// # Errors
    /// Nobody answers; the last one's error.
    pub async fn ask(
        &self,
        session: &SessionId,
        question: Question,
        mut on_token: impl FnMut(&Token) -> Result<()>,
        mut on_refusal: impl FnMut(&AccountId, &ClientError),
    ) -> Result<(Finished, AccountId)> {
        let committee = self.chain.committee(session).await?;
        let committee = committee.with_context(|| {
            format!("session {session:?} is unknown: never opened, or closed; see `session list`")
        })?;
        let mut last = None;
        for operator in committee {
            let asked = self.client.ask(session, &operator, question.clone()).await;
            let error = match asked {
                Ok(answer) => match follow(answer, &mut on_token).await {
                    Ok(finished) => return Ok((finished, operator)),
                    Err(error) => error,
                },
                Err(error) => error.into(),
            };
            match error.downcast::<ClientError>() {
                Ok(error) if error.retry() == Retry::Other => {
                    on_refusal(&operator, &error);
                    last = Some(error.into());
                }
                Ok(error) => return Err(error.into()),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            anyhow::anyhow!("session {session:?} has no committee yet; try again in a few blocks")
        }))
    }
}

async fn follow(
    mut answer: Answer,
    on_token: &mut impl FnMut(&Token) -> Result<()>,
) -> Result<Finished> {
    while let Some(output) = answer.next().await {
        match output? {
            Output::Token(token) => on_token(&token)?,
            Output::Finished(finished) => return Ok(finished),
        }
    }
    bail!("the answer ended without a receipt")
}

fn open_journal(file: &Path, chain: &Chain, signer: &Signer) -> Result<ClientJournal> {
    let account = ours(&signer.account());
    Ok(ClientJournal::open(
        file,
        chain.genesis(),
        account,
        KEPT_ANSWERS,
    )?)
}

/// The journal of a key that has asked before.
///
/// # Errors
/// There is none in `folder`, or it is in use, damaged, or another chain's.
pub fn journal(chain: &Chain, signer: &Signer, folder: &Path) -> Result<ClientJournal> {
    let file = journal_file(folder, &chain.genesis(), &signer.account());
    if !file.exists() {
        bail!(
            "no journal of {} in {}: `--journal-dir` must be that of `session ask`",
            signer.account(),
            folder.display()
        );
    }
    open_journal(&file, chain, signer)
}

/// The journal of one key on one chain.
pub fn journal_file(
    folder: &Path,
    genesis: &chasqui_chain::H256,
    account: &AccountId32,
) -> PathBuf {
    let chain = hex::encode(&genesis.as_bytes()[..4]);
    folder.join(format!("{account}-{chain}.redb"))
}

/// A live session with its channels, as JSON.
///
/// # Errors
/// The chain cannot be read.
pub async fn session_json(head: &Head, id: &SessionId) -> Result<Option<Value>> {
    use api::runtime_types::pallet_sessions::types::Stage;
    let Some(session) = view::session(head, id).await? else {
        return Ok(None);
    };
    let mut channels = Vec::new();
    let entry = head
        .at
        .storage()
        .entry(api::storage().sessions().channels())?;
    let mut items = entry.iter((*id,)).await?;
    while let Some(item) = items.next().await {
        let item = item?;
        let (_, operator) = item.key()?.decode()?;
        let rules = item.value().decode()?.rules;
        channels.push(json!({
            "operator": operator.to_string(),
            "slice": rules.slice.to_string(),
            "settled": rules.settled.to_string(),
            "lastSeq": rules.last_seq,
        }));
    }
    let stage = match session.stage {
        Stage::Open => json!({ "stage": "open" }),
        Stage::Closing { until } => json!({ "stage": "closing", "until": until }),
    };
    let deposit = session.deposit.0;
    let mut value = json!({
        "session": format!("{id:?}"),
        "client": session.client.to_string(),
        "key": session.key.to_string(),
        "checkpoint": format!("{:?}", session.checkpoint),
        "deposit": deposit.paid_in.to_string(),
        "settled": deposit.settled.to_string(),
        "free": deposit.free().to_string(),
        "committee": session.committee.0.iter().map(|o| o.to_string()).collect::<Vec<_>>(),
        "channels": channels,
    });
    if let (Some(object), Some(stage)) = (value.as_object_mut(), stage.as_object()) {
        object.extend(stage.clone());
    }
    Ok(Some(value))
}

/// The live sessions of a client.
///
/// # Errors
/// The chain cannot be read.
pub async fn sessions_of(head: &Head, client: &AccountId32) -> Result<Vec<SessionId>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().sessions().client_sessions())?;
    let mut items = entry.iter((*client,)).await?;
    let mut sessions = Vec::new();
    while let Some(item) = items.next().await {
        sessions.push(item?.key()?.decode()?.1);
    }
    Ok(sessions)
}

/// Gives an operator's slice `amount` more.
///
/// # Errors
/// The chain refuses it.
pub async fn grow(
    chain: &Chain,
    signer: &Signer,
    session: SessionId,
    operator: &AccountId,
    amount: Balance,
) -> Result<()> {
    let call = api::tx().sessions().grow(session, theirs(operator), amount);
    chain.submit(signer, &call).await?;
    Ok(())
}
