//! Cases over session answers: showing what they are about, and judging it.

use super::{
    cases::{about, shown_answers, About},
    ours, theirs, SessionKey,
};
use crate::{
    duties::{on_device, Worker},
    fault::Fault,
    registry,
    view::{bounded, fetch},
};
use anyhow::{bail, Context, Result};
use async_trait::async_trait;
use chasqui_audit::{replay::replay_all, Commitment, Opening};
use chasqui_chain::{api, Head, Static, H256};
use chasqui_engine::Engine;
use chasqui_primitives::{
    audit::{AuditThresholds, Evidence, HardReason, Subject, Verdict},
    session::{
        sample::{covered, OpenedLeaf, Place, ShownAnswer, MOST_PLANCKS},
        tree, SignedRequest,
    },
    trace::{decode_trace, TraceLeaf},
    CaseId, MAX_OPENING_BYTES,
};
use chasqui_session::{
    audit::{self, AuditAsk, Audits, OpenedAnswer},
    journal::ExecutorJournal,
    wire::{Refusal, RefusalCode},
    AccountId, ClientConfig, Endpoint,
};
use parity_scale_codec::Encode;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How far in the future an auditor's question is valid, in blocks.
const ASK_BLOCKS: u32 = 20;

/// Bytes of answers that one transaction shows, where an answer is not longer by itself: its fee comes back, and must be
/// there in advance.
const SHOW_BYTES: usize = 64 << 10;

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
    async fn check(&self, ask: &AuditAsk) -> Result<(), Refusal> {
        let checked = self.checked(ask).await;
        checked
            .map_err(|error| failed(ask, &error))?
            .map(|_about| ())
    }

    async fn open(&self, ask: AuditAsk) -> Result<Vec<OpenedAnswer>, Refusal> {
        if matches!(
            self.worker.fault,
            Some(Fault::Withhold | Fault::RefuseAuditors)
        ) {
            return Err(Refusal::new(RefusalCode::Internal, "journal", "test fault"));
        }
        let failed = |error: anyhow::Error| failed(&ask, &error);
        let about = self.checked(&ask).await.map_err(failed)??;
        self.answers(about).await.map_err(failed)
    }
}

fn failed(ask: &AuditAsk, error: &anyhow::Error) -> Refusal {
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
}

/// Posts on chain what an opening is demanded of there: of takings every answer that was drawn, of a report its trace.
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
    let opener = Opener {
        worker: worker.clone(),
        journal: journal.clone(),
    };
    let opened = opener.answers(about.clone()).await?;
    let bytes = match (subject, &about) {
        (Subject::SessionTakings(takings), About::Takings { places, .. }) => {
            show(worker, head, *takings, places, opened).await?;
            Vec::new()
        }
        _ => match opened.into_iter().next() {
            Some(answer) => answer.trace,
            None => bail!("the reported answer is not in the journal"),
        },
    };
    let opening = bounded("the opening", &bytes, MAX_OPENING_BYTES as usize)?;
    let call = api::tx().audits().post_opening(id, opening);
    worker.submit(&call).await.context("opening")?;
    tracing::info!(case = id, "session answers opened on chain");
    Ok(())
}

/// Shows answers of takings on chain, but for those that stand there already.
async fn show(
    worker: &Arc<Worker>,
    head: &Head,
    takings: u64,
    places: &BTreeMap<u32, Place<AccountId>>,
    opened: Vec<OpenedAnswer>,
) -> Result<()> {
    let genesis = worker.chain.genesis();
    let shown = fetch!(head, api::storage().sessions().shown(), (takings,));
    let shown: BTreeSet<u128> = shown
        .map(|shown| shown.0.iter().map(|answer| answer.start).collect())
        .unwrap_or_default();
    let mut parts: Vec<(usize, Vec<Static<ShownAnswer>>)> = Vec::new();
    for answer in opened {
        let place = places.get(&answer.leaf.settlement);
        let range = place.and_then(|place| answer.leaf.plancks(&genesis, place));
        let range = range.context("the journal holds something else than what was settled")?;
        if shown.contains(&range.start) {
            continue;
        }
        let too_long = |what: &str| anyhow::anyhow!("{what} is too long to be shown");
        let answer = ShownAnswer {
            leaf: answer.leaf,
            salt: answer.salt,
            prompt: answer.prompt.try_into().map_err(|_| too_long("a prompt"))?,
            trace: answer.trace.try_into().map_err(|_| too_long("a trace"))?,
        };
        let bytes = answer.encoded_size();
        match parts.last_mut() {
            Some((sum, part)) if *sum + bytes <= SHOW_BYTES => {
                *sum += bytes;
                part.push(Static(answer));
            }
            _ => parts.push((bytes, vec![Static(answer)])),
        }
    }
    for (bytes, part) in parts {
        let answers = bounded("the answers", &part, MOST_PLANCKS as usize)?;
        let call = api::tx().sessions().show(takings, answers);
        worker.submit(&call).await.context("showing answers")?;
        tracing::info!(
            takings,
            answers = part.len(),
            bytes,
            "answers shown on chain"
        );
    }
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
    let genesis = worker.chain.genesis();
    let opened = match (subject, &about, posted) {
        // What stands on chain is the executor's word: it cannot show auditors anything else.
        (
            Subject::SessionTakings(takings),
            About::Takings {
                plancks, places, ..
            },
            Some(_),
        ) => {
            let shown = shown_answers(&worker.chain, &head, *takings, plancks, places).await?;
            shown
                .into_iter()
                .filter_map(|answer| {
                    let place = places.get(&answer.leaf.settlement)?;
                    Some(OpenedAnswer {
                        receipt: answer.leaf.receipt(&genesis, place),
                        leaf: answer.leaf,
                        salt: answer.salt,
                        prompt: answer.prompt.into_inner(),
                        trace: answer.trace.into_inner(),
                    })
                })
                .collect()
        }
        _ => match fetch_opened(worker, &head, id, about.operator()).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(
                    case = id,
                    error = format!("{error:#}"),
                    "the executor does not open"
                );
                return Ok((Verdict::Withheld, none()));
            }
        },
    };
    let keys = session_keys(&head, &about).await?;
    let _turn = worker.turn().await?;
    on_device(move || {
        let case = Case {
            genesis,
            about: &about,
            keys: &keys,
            units,
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
                let mut ranges = Vec::new();
                for answer in opened {
                    let place = places
                        .get(&answer.leaf.settlement)
                        .ok_or(Verdict::Withheld)?;
                    // Only what lies under the settled root is what the executor committed to.
                    let range = answer.leaf.plancks(&self.genesis, place);
                    ranges.push(range.ok_or(Verdict::Withheld)?);
                }
                if !covered(plancks, &ranges) {
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
