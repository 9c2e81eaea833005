//! Cases over session answers: showing what they are about, and judging it.

use super::{
    cases::{about, About},
    ours, theirs, SessionKey,
};
use crate::{
    duties::{on_device, Worker},
    registry,
    view::{bounded, fetch},
};
use anyhow::{bail, Context, Result};
use async_trait::async_trait;
use chasqui_audit::{replay::replay_all, Commitment, Opening};
use chasqui_chain::{api, Head, H256};
use chasqui_engine::Engine;
use chasqui_primitives::{
    audit::{AuditThresholds, Evidence, HardReason, Subject, Verdict},
    session::{
        sample::{self, OpenedLeaf, Place, MOST_PLANCKS},
        tree, SignedRequest,
    },
    trace::{decode_trace, TraceLeaf},
    Balance, CaseId, MAX_OPENING_BYTES,
};
use chasqui_session::{
    audit::{self, AuditAsk, Audits, OpenedAnswer},
    journal::ExecutorJournal,
    wire::{Refusal, RefusalCode},
    AccountId, ClientConfig, Endpoint,
};
use parity_scale_codec::{DecodeAll, Encode};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How far in the future an auditor's question is valid, in blocks.
const ASK_BLOCKS: u32 = 20;

/// The answers that a case is about, out of the operator's journal.
///
/// # Errors
/// The journal does not hold them any more, or cannot be read.
fn answers(journal: &ExecutorJournal, about: &About) -> Result<Vec<OpenedAnswer>> {
    match about {
        About::Answer {
            signed, receipt, ..
        } => {
            let request = &signed.request;
            let held = journal.leaf(&request.session, request.seq)?;
            let (leaf, answer) = held
                .and_then(|(leaf, answer)| Some((leaf, answer?)))
                .with_context(|| format!("request {} is not in the journal", request.seq))?;
            let proof = tree::Proof::new();
            Ok(vec![OpenedAnswer {
                leaf: OpenedLeaf::new(0, signed, &receipt.receipt, proof),
                receipt: answer.receipt.receipt,
                salt: leaf.salt,
                prompt: leaf.prompt,
                trace: answer.trace,
            }])
        }
        About::Takings {
            plancks, places, ..
        } => {
            let mut opened = Vec::new();
            for (index, place) in places {
                let (start, end) = (place.before, place.before.saturating_add(place.claim.sum));
                let mut wanted = plancks
                    .iter()
                    .filter(|planck| (start..end).contains(*planck))
                    .peekable();
                if wanted.peek().is_none() {
                    continue;
                }
                let (first, last) = (place.claim.first, place.claim.last);
                let leaves = journal.leaves(&place.session, first, last)?;
                let mut under: Vec<u64> = wanted
                    .filter_map(|planck| tree::covering(&leaves, planck.saturating_sub(start)))
                    .collect();
                under.dedup();
                for at in under {
                    let seq = first.saturating_add(at);
                    let held = journal.leaf(&place.session, seq)?;
                    let (leaf, answer) = held
                        .and_then(|(leaf, answer)| Some((leaf, answer?)))
                        .with_context(|| format!("request {seq} is not in the journal"))?;
                    let proof = tree::prove(&leaves, at).context("no proof of a leaf")?;
                    let receipt = answer.receipt.receipt;
                    opened.push(OpenedAnswer {
                        leaf: OpenedLeaf::new(*index, &leaf.signed, &receipt, proof),
                        receipt,
                        salt: leaf.salt,
                        prompt: leaf.prompt,
                        trace: answer.trace,
                    });
                }
            }
            Ok(opened)
        }
    }
}

/// Opens an operator's answers to those who judge them.
pub struct Opener {
    pub worker: Arc<Worker>,
    pub journal: Arc<ExecutorJournal>,
}

impl Opener {
    async fn answers(&self, about: About) -> Result<Vec<OpenedAnswer>> {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || answers(&journal, &about)).await?
    }

    async fn checked(&self, ask: &AuditAsk) -> Result<Result<About, Refusal>> {
        let refused =
            |field, reason: &str| Ok(Err(Refusal::new(RefusalCode::NotServed, field, reason)));
        let head = self.worker.chain.head().await?;
        if ask.valid_until < head.number || ask.valid_until > head.number.saturating_add(100) {
            return refused("valid_until", "is past, or more than 100 blocks away");
        }
        let Some(case) = fetch!(head, api::storage().audits().cases(), (ask.case,)) else {
            return refused("case", "is not open on the finalised chain");
        };
        let Some(about) = about(&head, &case.subject.0).await? else {
            return refused("case", "is not about a session");
        };
        if *about.operator() != ours(&self.worker.operator) {
            return refused("case", "is about another operator");
        }
        let auditor = theirs(&ask.auditor);
        let key = (auditor, ask.case);
        if fetch!(head, api::storage().audits().duties(), key).is_none() {
            return refused("auditor", "is not to judge this case");
        }
        let record = fetch!(head, api::storage().operators().operators(), (auditor,));
        let signed = record
            .is_some_and(|record| ask.verify(&self.worker.chain.genesis(), &ours(&record.hot_key)));
        match signed {
            true => Ok(Ok(about)),
            false => Ok(Err(Refusal::new(
                RefusalCode::Signature,
                "signature",
                "is not the auditor's hot key's",
            ))),
        }
    }
}

#[async_trait]
impl Audits for Opener {
    async fn open(&self, ask: AuditAsk) -> Result<Vec<OpenedAnswer>, Refusal> {
        let failed = |error: anyhow::Error| {
            tracing::error!(
                case = ask.case,
                error = format!("{error:#}"),
                "opening answers"
            );
            // Paths of this machine are nobody else's business.
            Refusal::new(
                RefusalCode::Internal,
                "journal",
                "cannot be read now; try again",
            )
        };
        let about = self.checked(&ask).await.map_err(failed)??;
        self.answers(about).await.map_err(failed)
    }
}

/// What is posted on chain when an opening is demanded there.
///
/// # Errors
/// The journal does not hold it any more, or the chain refuses it.
pub async fn post_opening(
    worker: &Arc<Worker>,
    journal: &Arc<ExecutorJournal>,
    head: &Head,
    id: CaseId,
    subject: &Subject,
) -> Result<()> {
    let Some(about) = about(head, subject).await? else {
        return Ok(());
    };
    let takings = matches!(about, About::Takings { .. });
    let opener = Opener {
        worker: worker.clone(),
        journal: journal.clone(),
    };
    let opened = opener.answers(about).await?;
    let bytes = match (takings, opened.first()) {
        (false, Some(answer)) => answer.trace.clone(),
        (false, None) => bail!("the reported answer is not in the journal"),
        (true, _) => {
            let leaves: Vec<OpenedLeaf> = opened.into_iter().map(|answer| answer.leaf).collect();
            let leaves = leaves
                .try_into()
                .map_err(|_| anyhow::anyhow!("more than {MOST_PLANCKS} leaves"))?;
            sample::Opening { leaves }.encode()
        }
    };
    let opening = bounded("the opening", &bytes, MAX_OPENING_BYTES as usize)?;
    let call = api::tx().audits().post_opening(id, opening);
    worker.submit(&call).await.context("opening")?;
    tracing::info!(case = id, "session answers opened on chain");
    Ok(())
}

/// The verdict on a case over session answers. Only the auditor's own trouble is an error; it then tries again.
///
/// # Errors
/// The chain or the device fails.
pub async fn judge(
    worker: &Arc<Worker>,
    id: CaseId,
    subject: &Subject,
    posted: Option<Vec<u8>>,
    panel: H256,
) -> Result<(Verdict, Evidence)> {
    let none = Evidence::default;
    let head = worker.chain.head().await?;
    let about = about(&head, subject)
        .await?
        .with_context(|| format!("case {id} is over"))?;
    let root = about.checkpoint();
    let record = fetch!(head, api::storage().checkpoints().registry(), (root,));
    let record = record.context("the case's checkpoint is not registered any more")?;
    let thresholds = record
        .thresholds
        .context("the checkpoint has no thresholds")?
        .0;
    let units = (
        record.info.units_per_prompt_token,
        record.info.units_per_output_token,
    );
    let engine = {
        let worker = worker.clone();
        let profile = registry::profile(&head, &root).await?;
        on_device(move || worker.models.engine(&root, profile)).await
    };
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!(
                case = id,
                error = format!("{error:#}"),
                "no model to judge with"
            );
            return Ok((Verdict::NoModel, none()));
        }
    };
    let opened = match fetch_opened(worker, &head, id, about.operator()).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!(
                case = id,
                error = format!("{error:#}"),
                "the executor does not open"
            );
            return Ok((Verdict::Withheld, none()));
        }
    };
    let keys = session_keys(&head, &about).await?;
    let genesis = worker.chain.genesis();
    let _turn = worker.turn().await?;
    on_device(move || {
        let case = Case {
            genesis,
            about: &about,
            keys: &keys,
            units,
            posted: posted.as_deref(),
        };
        match case.claims(&opened) {
            Ok(claims) => replayed(&engine, &claims, &thresholds, &panel),
            Err(verdict) => Ok((verdict, none())),
        }
    })
    .await
}

fn replayed(
    engine: &Engine,
    claims: &[Claim<'_>],
    thresholds: &AuditThresholds,
    panel: &H256,
) -> Result<(Verdict, Evidence)> {
    let openings: Vec<(Commitment, Opening<'_>)> = claims
        .iter()
        .map(|claim| {
            let opening = Opening {
                salt: &claim.answer.salt,
                prompt_ids: &claim.answer.prompt,
                output_ids: &claim.output,
                trace: &claim.trace,
            };
            (claim.commitment.clone(), opening)
        })
        .collect();
    Ok(replay_all(engine, &openings, thresholds, panel)?)
}

/// Asks the executor, a few times: it may be restarting.
async fn fetch_opened(
    worker: &Arc<Worker>,
    head: &Head,
    id: CaseId,
    operator: &AccountId,
) -> Result<Vec<OpenedAnswer>> {
    let operators = api::storage().operators().operators();
    let record = fetch!(head, operators, (theirs(operator),));
    let record = record.context("the executor has left the registry")?;
    let endpoint = Endpoint {
        url: String::from_utf8(record.endpoint.url.0).context("its endpoint is no text")?,
        tls_key: record.endpoint.tls_key,
    };
    let config = ClientConfig {
        silence: Duration::from_secs(20),
        ..ClientConfig::default()
    };
    let mut tries = 0u32;
    loop {
        let now = worker.chain.head().await?.number;
        let ask = AuditAsk::new(
            &worker.chain.genesis(),
            id,
            operator.clone(),
            ours(&worker.operator),
            now.saturating_add(ASK_BLOCKS),
            &SessionKey(worker.signer.clone()),
        );
        match audit::fetch(&config, &endpoint, &ask).await {
            Ok(opened) => return Ok(opened),
            Err(error) if tries >= 2 => return Err(error.into()),
            Err(error) => tracing::debug!(%error, "the executor does not open; trying again"),
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// The keys that sign the requests of every session that the case touches. A session that is over has none any more:
/// what was settled in it was checked by the chain when it was.
async fn session_keys(head: &Head, about: &About) -> Result<BTreeMap<H256, AccountId>> {
    let sessions: Vec<H256> = match about {
        About::Takings { places, .. } => places.values().map(|place| place.session).collect(),
        About::Answer { signed, .. } => vec![signed.request.session],
    };
    let mut keys = BTreeMap::new();
    for session in sessions {
        if let Some(found) = super::view::session(head, &session).await? {
            keys.insert(session, ours(&found.key));
        }
    }
    Ok(keys)
}

struct Case<'a> {
    genesis: H256,
    about: &'a About,
    keys: &'a BTreeMap<H256, AccountId>,
    /// Units a prompt token and an output token.
    units: (u32, u32),
    /// What the executor posted on chain, if it had to: the chain has checked that it belongs to the case.
    posted: Option<&'a [u8]>,
}

/// One opened answer, ready to be replayed.
struct Claim<'a> {
    answer: &'a OpenedAnswer,
    commitment: Commitment,
    output: Vec<u32>,
    trace: Vec<TraceLeaf>,
}

impl Case<'_> {
    /// The claims that were opened, or the verdict that needs no replay.
    fn claims<'o>(&self, opened: &'o [OpenedAnswer]) -> Result<Vec<Claim<'o>>, Verdict> {
        match self.about {
            About::Takings {
                plancks, places, ..
            } => {
                // What stands on chain is the executor's word: it cannot show auditors anything else.
                let binding: Option<Vec<OpenedLeaf>> = match self.posted {
                    Some(bytes) => sample::Opening::decode_all(&mut &bytes[..])
                        .ok()
                        .map(|opening| opening.leaves.into_inner()),
                    None => None,
                };
                let mut ranges = Vec::new();
                for answer in opened {
                    if binding
                        .as_ref()
                        .is_some_and(|posted| !posted.contains(&answer.leaf))
                    {
                        return Err(Verdict::Withheld);
                    }
                    let place = places
                        .get(&answer.leaf.settlement)
                        .ok_or(Verdict::Withheld)?;
                    // Only what lies under the settled root is what the executor committed to.
                    let range = answer.leaf.plancks(&self.genesis, place);
                    ranges.push(range.ok_or(Verdict::Withheld)?);
                }
                let covered = |planck: &Balance| ranges.iter().any(|range| range.contains(planck));
                if !plancks.iter().all(covered) {
                    return Err(Verdict::Withheld);
                }
                opened
                    .iter()
                    .map(|answer| {
                        let place = &places[&answer.leaf.settlement];
                        self.claim(answer, &answer.leaf.request(place), place)
                    })
                    .collect()
            }
            About::Answer {
                signed,
                receipt,
                operator,
                checkpoint,
            } => {
                let answer = match opened {
                    [answer] if answer.receipt == receipt.receipt => answer,
                    _ => return Err(Verdict::Withheld),
                };
                let place = Place {
                    session: signed.request.session,
                    operator: operator.clone(),
                    checkpoint: *checkpoint,
                    claim: tree::Claim {
                        root: H256::zero(),
                        sum: 0,
                        first: signed.request.seq,
                        last: signed.request.seq,
                    },
                    before: 0,
                };
                Ok(vec![self.claim(answer, signed, &place)?])
            }
        }
    }

    /// Checks what client and operator signed of one answer.
    fn claim<'o>(
        &self,
        answer: &'o OpenedAnswer,
        signed: &SignedRequest<AccountId>,
        place: &Place<AccountId>,
    ) -> Result<Claim<'o>, Verdict> {
        let hard = |reason| Verdict::Hard(reason);
        let request = &signed.request;
        if let Some(key) = self.keys.get(&place.session) {
            if !signed.verify(&self.genesis, key) {
                return Err(hard(HardReason::Signature));
            }
        }
        // What the leaf commits to is the receipt; of a reported answer the chain has checked the signature.
        let receipt = match self.about {
            About::Takings { .. } => answer.leaf.receipt(&self.genesis, place),
            About::Answer { receipt, .. } => receipt.receipt.clone(),
        };
        let (prompt, output) = self.units;
        if receipt
            .answers(&self.genesis, request, prompt, output)
            .is_err()
        {
            return Err(hard(HardReason::OutputCount));
        }
        let trace = decode_trace(&answer.trace).map_err(|_| hard(HardReason::TraceRoot))?;
        Ok(Claim {
            answer,
            commitment: Commitment {
                genesis: self.genesis,
                prompt_hash: request.prompt_hash,
                prompt_tokens: request.prompt_tokens,
                sampling: request.sampling.clone(),
                output_hash: receipt.output_hash,
                output_tokens: receipt.output_tokens,
                trace_root: receipt.trace_root,
                finish: receipt.finish,
            },
            output: trace.iter().map(|leaf| leaf.token).collect(),
            trace,
        })
    }
}
