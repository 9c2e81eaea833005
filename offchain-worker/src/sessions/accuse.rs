//! What a client holds against an operator, out of its journal: a report of one answer, and two receipts for one request.

use super::{
    cases::own_takings,
    convert::{receipt_for_chain, request_for_chain},
    theirs,
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, Chain, Head, Signer};
use chasqui_primitives::{
    session::{receipts_conflict, Seq, SessionId},
    Balance,
};
use chasqui_session::{
    journal::{ClientJournal, Conflict},
    AccountId, SignedReceipt, SignedRequest,
};

/// Conflicts of one channel that are looked at.
const MOST_CONFLICTS: usize = 1_024;

/// Request and receipt of one answer: what a report is made of. A receipt that was refused because it does not fit its
/// request counts too: it is the operator's word.
///
/// # Errors
/// The journal does not hold them.
pub fn evidence(
    journal: &ClientJournal,
    session: &SessionId,
    operator: &AccountId,
    seq: Seq,
) -> Result<(SignedRequest, SignedReceipt)> {
    let Some((begun, done)) = journal.find(session, operator, seq)? else {
        bail!(
            "request {seq} of {operator} is not in this journal: it keeps the newest answers of each channel; \
             `--journal-dir` and `--key` must be those that asked"
        );
    };
    let request = begun.ask.signed;
    if let Some(done) = done {
        return Ok((request, done.receipt));
    }
    let hash = request.request.signing_hash(&journal.genesis());
    let conflicts = journal.conflicts(session, operator, MOST_CONFLICTS)?;
    let refused = conflicts
        .into_iter()
        .map(|conflict| conflict.second)
        .find(|receipt| receipt.receipt.request == hash);
    let receipt = refused.with_context(|| {
        format!("the operator has signed nothing for request {seq}: without a receipt there is nothing to report")
    })?;
    Ok((request, receipt))
}

/// Pairs of receipts for one request, which prove fraud by themselves. A receipt that was refused because it did not fit
/// stands against the one that was taken in the end.
///
/// # Errors
/// The journal cannot be read.
pub fn contradictions(
    journal: &ClientJournal,
    session: &SessionId,
    operator: &AccountId,
) -> Result<Vec<(SignedReceipt, SignedReceipt)>> {
    let mut pairs = Vec::new();
    for Conflict { first, second } in journal.conflicts(session, operator, MOST_CONFLICTS)? {
        let first = match first {
            Some(first) => Some(first),
            None => {
                let held = journal.find(session, operator, second.receipt.seq)?;
                let done = held.and_then(|(_, done)| done);
                done.map(|done| done.receipt)
            }
        };
        pairs.extend(first.map(|first| (first, second)));
    }
    pairs.retain(|(first, second)| receipts_conflict(&first.receipt, &second.receipt));
    Ok(pairs)
}

/// The settlement that an answer was claimed in, while its takings are not decided.
async fn settlement(
    head: &Head,
    session: &SessionId,
    operator: &AccountId,
    seq: Seq,
) -> Result<Option<(u64, u32)>> {
    for takings in own_takings(head, &theirs(operator)).await? {
        let entry = head
            .at
            .storage()
            .entry(api::storage().sessions().settlements())?;
        let mut items = entry.iter((takings,)).await?;
        while let Some(item) = items.next().await {
            let item = item?;
            let index = item.key()?.decode()?.1;
            let record = item.value().decode()?;
            let claim = record.claim.0;
            if record.session == *session && (claim.first..=claim.last).contains(&seq) {
                return Ok(Some((takings, index)));
            }
        }
    }
    Ok(None)
}

/// Reports an answer, and returns the report's number and the deposit that is on hold for it.
///
/// # Errors
/// The answer's takings are decided already, or the chain refuses the report.
pub async fn report(
    chain: &Chain,
    signer: &Signer,
    request: &SignedRequest,
    receipt: &SignedReceipt,
) -> Result<(u64, Balance)> {
    let answer = &receipt.receipt;
    let head = chain.head().await?;
    let key = (answer.session, theirs(&answer.operator));
    let channel = crate::view::fetch!(head, api::storage().sessions().channels(), key);
    let channel =
        channel.context("the session is over: its answers cannot be reported any more")?;
    let settled = settlement(&head, &answer.session, &answer.operator, answer.seq).await?;
    if settled.is_none() && channel.rules.last_seq >= answer.seq {
        bail!(
            "the takings that hold answer {} are decided: report an answer before its epoch is audited",
            answer.seq
        );
    }
    let call = api::tx().sessions().report(
        request_for_chain(request),
        receipt_for_chain(receipt),
        settled,
    );
    let included = chain.submit(signer, &call).await?;
    let reported = included
        .events
        .find_first::<api::sessions::events::Reported>()
        .context("the report was taken, but no event tells its number")??;
    let deposit = crate::view::fetch!(head, api::storage().sessions().parameters(), ())
        .map_or(0, |params| params.report_deposit);
    Ok((reported.report, deposit))
}

/// Proves that an operator signed two receipts for one request. Returns what was slashed and forfeited, in planck.
///
/// # Errors
/// The chain refuses it.
pub async fn prove_fraud(
    chain: &Chain,
    signer: &Signer,
    first: &SignedReceipt,
    second: &SignedReceipt,
) -> Result<(Balance, Balance)> {
    let call = api::tx()
        .sessions()
        .prove_fraud(receipt_for_chain(first), receipt_for_chain(second));
    let included = chain.submit(signer, &call).await?;
    let proven = included
        .events
        .find_first::<api::sessions::events::FraudProven>()
        .context("the proof was taken, but no event tells of it")??;
    Ok((proven.slashed, proven.forfeited))
}
