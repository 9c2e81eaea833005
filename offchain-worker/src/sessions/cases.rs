//! What cases over session answers are about, as the chain has it.

use super::{
    convert::{receipt_of, request_of},
    ours,
};
use crate::view::fetch;
use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head};
use chasqui_primitives::{
    audit::Subject,
    session::{
        sample::{covered, draw_plancks, OpenedLeaf, Place, ShownAnswer, MOST_PLANCKS},
        SignedRequest,
    },
    Balance, CaseId, CheckpointRoot,
};
use chasqui_session::{AccountId, SignedReceipt};
use parity_scale_codec::{Compact, Decode};
use std::collections::{BTreeMap, BTreeSet};
use subxt::rpcs::client::rpc_params;

/// Index of `sessions.show` among the calls of its pallet.
const SHOW: u8 = 14;

type TakingsStage = api::runtime_types::pallet_sessions::types::TakingsStage;
type ReportStage = api::runtime_types::pallet_sessions::types::ReportStage;

/// What a case is about, as the chain has it.
#[derive(Clone, Debug)]
pub enum About {
    /// Plancks of an operator's takings, and the settlements that they lie in.
    Takings {
        operator: AccountId,
        checkpoint: CheckpointRoot,
        plancks: Vec<Balance>,
        places: BTreeMap<u32, Place<AccountId>>,
    },
    /// One reported answer.
    Answer {
        operator: AccountId,
        checkpoint: CheckpointRoot,
        signed: Box<SignedRequest<AccountId>>,
        receipt: Box<SignedReceipt>,
    },
}

impl About {
    /// Whose work it is.
    pub fn operator(&self) -> &AccountId {
        match self {
            Self::Takings { operator, .. } | Self::Answer { operator, .. } => operator,
        }
    }

    /// The model that was to be used.
    pub fn checkpoint(&self) -> CheckpointRoot {
        match self {
            Self::Takings { checkpoint, .. } | Self::Answer { checkpoint, .. } => *checkpoint,
        }
    }
}

/// What an open case about a session is about; `None` for anything else, or when the case is over.
///
/// # Errors
/// The chain cannot be read.
pub async fn about(head: &Head, subject: &Subject) -> Result<Option<About>> {
    match *subject {
        Subject::Job(_)
        | Subject::Training { .. }
        | Subject::TrainingOuter { .. }
        | Subject::Dataset(_) => Ok(None),
        Subject::SessionTakings(id) => takings(head, id).await,
        Subject::SessionReceipt(id) => {
            let Some(report) = fetch!(head, api::storage().sessions().reports(), (id,)) else {
                return Ok(None);
            };
            let signed = request_of(report.request);
            let receipt = receipt_of(report.receipt);
            Ok(Some(About::Answer {
                operator: receipt.receipt.operator.clone(),
                checkpoint: signed.request.checkpoint,
                signed: Box::new(signed),
                receipt: Box::new(receipt),
            }))
        }
    }
}

async fn takings(head: &Head, id: u64) -> Result<Option<About>> {
    let Some(takings) = fetch!(head, api::storage().sessions().all_takings(), (id,)) else {
        return Ok(None);
    };
    let TakingsStage::InAudit {
        subseed, plancks, ..
    } = takings.stage
    else {
        return Ok(None);
    };
    let plancks = draw_plancks(&subseed, takings.total, plancks);
    let operator = ours(&takings.operator);
    let entry = head
        .at
        .storage()
        .entry(api::storage().sessions().settlements())?;
    let mut items = entry.iter((id,)).await?;
    let mut places = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let (_, index) = item.key()?.decode()?;
        let record = item.value().decode()?;
        let place = Place {
            session: record.session,
            operator: operator.clone(),
            checkpoint: takings.checkpoint,
            claim: record.claim.0,
            before: record.before,
        };
        places.insert(index, place);
    }
    Ok(Some(About::Takings {
        operator,
        checkpoint: takings.checkpoint,
        plancks,
        places,
    }))
}

/// The takings of an operator that are not decided.
///
/// # Errors
/// The chain cannot be read.
pub async fn own_takings(head: &Head, operator: &AccountId32) -> Result<Vec<u64>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().sessions().operator_takings())?;
    let mut items = entry.iter((*operator,)).await?;
    let mut ids = Vec::new();
    while let Some(item) = items.next().await {
        ids.push(item?.key()?.decode()?.1);
    }
    Ok(ids)
}

/// The open reports of an operator's answers.
///
/// # Errors
/// The chain cannot be read.
pub async fn own_reports(head: &Head, operator: &AccountId32) -> Result<Vec<u64>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().sessions().operator_reports())?;
    let mut items = entry.iter((*operator,)).await?;
    let mut ids = Vec::new();
    while let Some(item) = items.next().await {
        ids.push(item?.key()?.decode()?.1);
    }
    Ok(ids)
}

/// The cases that an operator's session work is in, where its opening may be demanded on chain.
///
/// # Errors
/// The chain cannot be read.
pub async fn own_cases(head: &Head, operator: &AccountId32) -> Result<Vec<CaseId>> {
    let mut cases = Vec::new();
    for id in own_takings(head, operator).await? {
        let takings = fetch!(head, api::storage().sessions().all_takings(), (id,));
        if let Some(TakingsStage::InAudit { case, .. }) = takings.map(|takings| takings.stage) {
            cases.push(case);
        }
    }
    for id in own_reports(head, operator).await? {
        let report = fetch!(head, api::storage().sessions().reports(), (id,));
        if let Some(ReportStage::InAudit { case }) = report.map(|report| report.stage) {
            cases.push(case);
        }
    }
    Ok(cases)
}

/// The answers under drawn plancks of takings that their operator showed on chain. They stand in the extrinsics of the
/// blocks that the chain names; what a block holds besides counts for nothing, because each answer is checked against
/// the settled roots.
///
/// # Errors
/// The chain cannot be read, or the answers do not cover the plancks: that is this node's trouble, because the chain
/// takes an opening only when all are shown.
pub async fn shown_answers(
    chain: &Chain,
    head: &Head,
    id: u64,
    plancks: &[Balance],
    places: &BTreeMap<u32, Place<AccountId>>,
) -> Result<Vec<ShownAnswer>> {
    let genesis = chain.genesis();
    let shown = fetch!(head, api::storage().sessions().shown(), (id,));
    let blocks: BTreeSet<u32> = shown
        .map(|shown| shown.0.iter().map(|answer| answer.at).collect())
        .unwrap_or_default();
    let mut answers = BTreeMap::new();
    for number in blocks {
        for extrinsic in body(chain, number).await? {
            let settled = |leaf: &OpenedLeaf| {
                let place = places.get(&leaf.settlement);
                place.is_some_and(|place| leaf.plancks(&genesis, place).is_some())
            };
            for answer in shown_in(&extrinsic, id, settled) {
                let range = places
                    .get(&answer.leaf.settlement)
                    .and_then(|place| answer.plancks(&genesis, place));
                if let Some(range) = range {
                    answers.insert(range.start, (range, answer));
                }
            }
        }
    }
    let (ranges, answers): (Vec<_>, Vec<_>) = answers.into_values().unzip();
    ensure!(
        covered(plancks, &ranges),
        "answers that were shown on chain are not in this node's blocks: it must keep their bodies"
    );
    Ok(answers)
}

/// The extrinsics of a block as bytes: what else stands in it need not make sense to this program.
async fn body(chain: &Chain, number: u32) -> Result<Vec<Vec<u8>>> {
    #[derive(serde::Deserialize)]
    struct Signed {
        block: Block,
    }
    #[derive(serde::Deserialize)]
    struct Block {
        extrinsics: Vec<String>,
    }
    let hash = chain.at(number).await?.hash;
    let found: Option<Signed> = chain.request("chain_getBlock", rpc_params![hash]).await?;
    let found = found.with_context(|| format!("the node does not keep block {number}"))?;
    found
        .block
        .extrinsics
        .iter()
        .map(|text| hex::decode(text.trim_start_matches("0x")))
        .collect::<Result<_, _>>()
        .context("an extrinsic is no hexadecimal number")
}

/// The arguments of every `show` of these takings, wherever in an extrinsic it stands: alone, in a batch, behind a proxy.
/// Else an operator could hide its answers from auditors where the chain sees them.
///
/// An extrinsic may hold thousands of bytes that look like the beginning of one, each with a prompt as long as the rest of
/// it. So nothing is read behind a leaf that is not `settled`: what lies under a settled root nobody makes up.
fn shown_in(bytes: &[u8], id: u64, settled: impl Fn(&OpenedLeaf) -> bool) -> Vec<ShownAnswer> {
    let mut mark = vec![SHOW];
    mark.extend(id.to_le_bytes());
    bytes
        .windows(mark.len())
        .enumerate()
        .filter(|(_, window)| *window == mark)
        .filter_map(|(at, _)| {
            let mut rest = bytes.get(at + mark.len()..)?;
            let Compact(count) = Compact::<u32>::decode(&mut rest).ok()?;
            if count > MOST_PLANCKS {
                return None;
            }
            let answers = (0..count).map(|_| {
                let leaf = OpenedLeaf::decode(&mut rest).ok()?;
                if !settled(&leaf) {
                    return None;
                }
                Some(ShownAnswer {
                    leaf,
                    salt: Decode::decode(&mut rest).ok()?,
                    prompt: Decode::decode(&mut rest).ok()?,
                    trace: Decode::decode(&mut rest).ok()?,
                })
            });
            answers.collect::<Option<Vec<_>>>()
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chasqui_primitives::{sampling::Sampling, FinishReason};
    use parity_scale_codec::Encode;

    fn answer(seq: u64) -> ShownAnswer {
        ShownAnswer {
            leaf: OpenedLeaf {
                settlement: 3,
                seq,
                prompt_hash: Default::default(),
                prompt_tokens: 2,
                sampling: Sampling::greedy(1),
                unit_price: 1,
                max_price: 2,
                cap: 3,
                valid_until: 4,
                signature: sp_runtime::MultiSignature::Sr25519(Default::default()),
                output_hash: Default::default(),
                trace_root: Default::default(),
                output_tokens: 0,
                finish: FinishReason::Length,
                price: 5,
                proof: Default::default(),
            },
            salt: [1; 32],
            prompt: vec![7, 8].try_into().unwrap(),
            trace: Default::default(),
        }
    }

    /// A call as it stands in an extrinsic.
    fn call(id: u64, answers: Vec<ShownAnswer>) -> Vec<u8> {
        let mut bytes = vec![60, SHOW];
        id.encode_to(&mut bytes);
        answers.encode_to(&mut bytes);
        bytes
    }

    #[test]
    fn shown_answers_are_found_wherever_the_call_stands() {
        // GIVEN two calls, one behind the other, among other bytes, as in a batch
        let mut bytes = vec![0; 40];
        bytes.extend(call(9, vec![answer(1), answer(2)]));
        bytes.extend(call(9, vec![answer(3)]));
        bytes.extend([14; 5]);
        // WHEN they are looked for THEN all answers are found, and none of other takings
        let all = [answer(1), answer(2), answer(3)];
        assert_eq!(shown_in(&bytes, 9, |_| true), all);
        assert!(shown_in(&bytes, 8, |_| true).is_empty());
    }

    #[test]
    fn bytes_that_only_look_like_a_call_are_no_answers() {
        // GIVEN the beginning of a call, cut off anywhere
        let whole = call(9, vec![answer(1)]);
        for length in 0..whole.len() {
            assert!(shown_in(&whole[..length], 9, |_| true).is_empty());
        }
        assert_eq!(shown_in(&whole, 9, |_| true).len(), 1);
    }

    #[test]
    fn nothing_is_read_behind_a_leaf_that_was_not_settled() {
        // GIVEN thousands of beginnings of calls, each with a prompt that goes on to the end of the extrinsic
        let bait = {
            let mut answer = answer(1);
            answer.prompt = vec![0; 1 << 17].try_into().unwrap();
            let mut bytes = call(9, vec![answer]);
            bytes.truncate(400);
            bytes
        };
        let mut bytes = bait.repeat(5_000);
        let place = bytes.len();
        bytes.extend(call(9, vec![answer(2)]));
        bytes.extend(vec![0; 1 << 19]);
        // WHEN the one that was settled is looked for THEN it is found, soon
        let began = std::time::Instant::now();
        let found = shown_in(&bytes, 9, |leaf| leaf.seq == 2);
        assert_eq!(found, [answer(2)], "at {place}");
        assert!(began.elapsed().as_secs() < 5);
    }
}
