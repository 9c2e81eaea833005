//! What is checked before anything is computed.

use super::Inner;
use crate::{
    chain::{Standing, Terms},
    limits::MAX_OUTPUT_TOKENS,
    wire::{Ask, Refusal, RefusalCode},
    Request, SignedRequest,
};
use chasqui_engine::batch::Batcher;
use chasqui_primitives::{
    hash::prompt_hash, sampling::SamplingError, session::books::Reason, Balance,
};
use std::sync::Arc;

fn refuse<T>(code: RefusalCode, field: &str, reason: impl ToString) -> Result<T, Refusal> {
    Err(Refusal::new(code, field, reason))
}

/// Whether a request is for this operator.
pub(super) fn addressed(inner: &Inner, request: &Request) -> Result<(), Refusal> {
    if request.operator == inner.operator {
        return Ok(());
    }
    refuse(
        RefusalCode::NotServed,
        "operator",
        format!(
            "is {}; this is {}: look the endpoint up again",
            request.operator, inner.operator
        ),
    )
}

/// Whether the session's key signed a request.
pub(super) fn signed(
    inner: &Inner,
    signed: &SignedRequest,
    standing: &Standing,
) -> Result<(), Refusal> {
    match signed.verify(&inner.genesis, &standing.key) {
        true => Ok(()),
        false => refuse(
            RefusalCode::Signature,
            "signature",
            "is not the session key's over this request on this chain",
        ),
    }
}

/// Whether a request is for the session's checkpoint. The chain settles nothing behind one that is not.
pub(super) fn own_checkpoint(request: &Request, standing: &Standing) -> Result<(), Refusal> {
    if request.checkpoint == standing.checkpoint {
        return Ok(());
    }
    let reason = format!("is not the session's, {:?}", standing.checkpoint);
    refuse(RefusalCode::NotServed, "checkpoint", reason)
}

/// Whether the chain would take receipts of this executor's key on the channel.
pub(super) fn own_key(
    inner: &Inner,
    request: &Request,
    standing: &Standing,
) -> Result<(), Refusal> {
    if standing.signer == inner.signer.account() {
        return Ok(());
    }
    // Only the operator can mend it.
    tracing::error!(
        session = ?request.session,
        expected = %standing.signer,
        "this executor's key is not the one that signs for the channel"
    );
    let reason = "the executor's key does not sign for this channel; renew the session, or ask another operator";
    refuse(RefusalCode::NotServed, "operator", reason)
}

/// What the request says of itself, without the chain.
pub(super) fn content(inner: &Inner, ask: &Ask) -> Result<(), Refusal> {
    let request = &ask.signed.request;
    addressed(inner, request)?;
    if ask.prompt.is_empty() || request.prompt_tokens as usize != ask.prompt.len() {
        return refuse(
            RefusalCode::Request,
            "prompt_tokens",
            format!(
                "says {}, the prompt has {}; there must be at least one, and as many as signed",
                request.prompt_tokens,
                ask.prompt.len()
            ),
        );
    }
    if request.prompt_hash != prompt_hash(&inner.genesis, &ask.salt, &ask.prompt) {
        return refuse(
            RefusalCode::Request,
            "prompt_hash",
            "is not the hash of this salt and prompt",
        );
    }
    if let Err(error) = request.sampling.validate() {
        let field = match error {
            SamplingError::Temperature => "temperature_milli",
            SamplingError::TopP => "top_p_ppm",
            SamplingError::MaxTokens => "max_tokens",
        };
        return refuse(RefusalCode::Request, field, "is out of its range");
    }
    if request.sampling.max_tokens > MAX_OUTPUT_TOKENS {
        return refuse(
            RefusalCode::Request,
            "max_tokens",
            format!(
                "is {}; a session's outputs have at most {MAX_OUTPUT_TOKENS}",
                request.sampling.max_tokens
            ),
        );
    }
    Ok(())
}

/// Terms of the session's checkpoint.
pub(super) fn terms(standing: &Standing) -> Result<&Terms, Refusal> {
    standing.terms.as_ref().ok_or_else(|| {
        Refusal::new(
            RefusalCode::NotServed,
            "checkpoint",
            "takes no payment any more; open a session for another",
        )
    })
}

/// What a request that is not written down yet must fulfil besides the rules of its channel.
pub(super) async fn fresh(
    inner: &Inner,
    request: &Request,
    prompt: &[u32],
    standing: &Standing,
) -> Result<Arc<Batcher>, Refusal> {
    let not_served = RefusalCode::NotServed;
    own_checkpoint(request, standing)?;
    if !standing.open {
        return refuse(not_served, "session", "is closing; open another");
    }
    if !standing.committee.contains(&inner.operator) {
        let reason = "the operator is not in the session's committee; ask one that is";
        return refuse(not_served, "operator", reason);
    }
    own_key(inner, request, standing)?;
    let terms = terms(standing)?;
    let slack = Balance::from(1_000_000 - inner.config.price_slack_ppm);
    // Divided first where the product would not fit: prices are far below that.
    let least = terms
        .unit_price
        .checked_mul(slack)
        .map_or(terms.unit_price, |product| product / 1_000_000);
    if request.unit_price < least {
        let reason = format!(
            "is {}; at least {least} is taken, {} is the running price",
            request.unit_price, terms.unit_price
        );
        return refuse(RefusalCode::Price, "unit_price", reason);
    }
    let highest = request.price(
        terms.units_per_prompt_token,
        terms.units_per_output_token,
        request.sampling.max_tokens,
    );
    if highest.is_none_or(|highest| highest > request.max_price) {
        let reason = format!(
            "is {}; {} output tokens can cost {}",
            request.max_price,
            request.sampling.max_tokens,
            highest.map_or("more than a balance".into(), |price| price.to_string())
        );
        return refuse(RefusalCode::Price, "max_price", reason);
    }
    let tokens = request
        .prompt_tokens
        .saturating_add(request.sampling.max_tokens);
    if tokens > terms.context_tokens {
        let reason = format!(
            "prompt and max_tokens are {tokens} tokens; the context holds {}",
            terms.context_tokens
        );
        return refuse(RefusalCode::Request, "max_tokens", reason);
    }
    let batcher = batcher(inner, request, terms).await?;
    let checked = batcher.engine().check(prompt, &request.sampling);
    checked
        .or_else(|error| refuse(RefusalCode::Request, "prompt", error))
        .map(|()| batcher)
}

/// What computes the request's checkpoint.
pub(super) async fn batcher(
    inner: &Inner,
    request: &Request,
    terms: &Terms,
) -> Result<Arc<Batcher>, Refusal> {
    match inner
        .models
        .batcher(&request.checkpoint, terms.profile)
        .await
    {
        Ok(Some(batcher)) => Ok(batcher),
        Ok(None) => refuse(
            RefusalCode::NotServed,
            "checkpoint",
            "is not served here; ask another operator",
        ),
        Err(error) => {
            tracing::error!(error, checkpoint = ?request.checkpoint, "no model for a request");
            refuse(
                RefusalCode::Compute,
                "checkpoint",
                "cannot be loaded now; ask another operator",
            )
        }
    }
}

/// The rules' refusal in words.
pub(super) fn of_reason(reason: Reason, request: &Request, standing: &Standing) -> Refusal {
    let (code, field, reason) = match reason {
        Reason::OutOfOrder => (
            RefusalCode::OutOfOrder,
            "seq",
            format!(
                "is {}, which is not the channel's next; ask what is held",
                request.seq
            ),
        ),
        Reason::CapTooLow => (
            RefusalCode::CapTooLow,
            "cap",
            format!(
                "is {}; it must cover all receipts of the channel and this request's max_price",
                request.cap
            ),
        ),
        Reason::SliceTooSmall => (
            RefusalCode::SliceTooSmall,
            "cap",
            format!(
                "is {}; the finalised slice covers {}: let it grow, or wait until that is final",
                request.cap,
                standing.channel.promised()
            ),
        ),
        Reason::Busy => (
            RefusalCode::Busy,
            "seq",
            "the request before is not answered; send that one again".into(),
        ),
        Reason::Expired => (
            RefusalCode::Expired,
            "valid_until",
            format!(
                "is block {}; it is {} now",
                request.valid_until, standing.now
            ),
        ),
        Reason::NotLapsed => (
            RefusalCode::OutOfOrder,
            "valid_until",
            format!(
                "is block {}, it is {} now: the request can still be sent",
                request.valid_until, standing.now
            ),
        ),
        Reason::Answered => (
            RefusalCode::OutOfOrder,
            "seq",
            "is answered; send the same request again for the answer".into(),
        ),
        Reason::Stopped => (
            RefusalCode::Stopped,
            "session",
            "the channel is stopped; ask another operator, or open another session".into(),
        ),
    };
    Refusal::new(code, field, reason)
}
