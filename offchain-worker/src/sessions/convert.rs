//! The chain client's generated types and those that are signed: the same fields, other names for an account.

use super::{ours, theirs};
use chasqui_chain::{api::runtime_types as chain, AccountId32, Static};
use chasqui_primitives::session::{
    rules::{Channel, Shrink, Stop},
    Receipt, Request, SignedReceipt, SignedRequest,
};
use chasqui_session::AccountId;
use sp_runtime::MultiSignature;

type ChainSignature = chain::sp_runtime::MultiSignature;
type ChainRequest = chain::chasqui_primitives::session::SignedRequest<AccountId32>;
type ChainReceipt = chain::chasqui_primitives::session::SignedReceipt<AccountId32>;

/// A channel's state.
pub fn channel_of(from: &chain::chasqui_primitives::session::rules::Channel<u32>) -> Channel<u32> {
    use chain::chasqui_primitives::session::rules::Stop as ChainStop;
    Channel {
        slice: from.slice,
        settled: from.settled,
        last_seq: from.last_seq,
        version: from.version,
        shrink: from.shrink.as_ref().map(|shrink| Shrink {
            to: shrink.to,
            until: shrink.until,
        }),
        stopped: from.stopped.as_ref().map(|stop| match stop {
            ChainStop::Equivocated => Stop::Equivocated,
            ChainStop::Convicted => Stop::Convicted,
        }),
    }
}

fn signature_of(from: ChainSignature) -> MultiSignature {
    match from {
        ChainSignature::Ed25519(bytes) => MultiSignature::Ed25519(bytes.into()),
        ChainSignature::Sr25519(bytes) => MultiSignature::Sr25519(bytes.into()),
        ChainSignature::Ecdsa(bytes) => MultiSignature::Ecdsa(bytes.into()),
        ChainSignature::Eth(bytes) => MultiSignature::Eth(bytes.into()),
    }
}

fn signature_for_chain(from: &MultiSignature) -> ChainSignature {
    match from {
        MultiSignature::Ed25519(bytes) => ChainSignature::Ed25519(bytes.0),
        MultiSignature::Sr25519(bytes) => ChainSignature::Sr25519(bytes.0),
        MultiSignature::Ecdsa(bytes) => ChainSignature::Ecdsa(bytes.0),
        MultiSignature::Eth(bytes) => ChainSignature::Eth(bytes.0),
    }
}

/// A signed request.
pub fn request_of(from: ChainRequest) -> SignedRequest<AccountId> {
    let request = from.request;
    SignedRequest {
        request: Request {
            session: request.session,
            operator: ours(&request.operator),
            seq: request.seq,
            checkpoint: request.checkpoint,
            prompt_hash: request.prompt_hash,
            prompt_tokens: request.prompt_tokens,
            sampling: request.sampling.0,
            unit_price: request.unit_price,
            max_price: request.max_price,
            cap: request.cap,
            valid_until: request.valid_until,
        },
        signature: signature_of(from.signature),
    }
}

/// A signed request, as calls take it.
pub fn request_for_chain(from: &SignedRequest<AccountId>) -> ChainRequest {
    let request = &from.request;
    ChainRequest {
        request: chain::chasqui_primitives::session::Request {
            session: request.session,
            operator: theirs(&request.operator),
            seq: request.seq,
            checkpoint: request.checkpoint,
            prompt_hash: request.prompt_hash,
            prompt_tokens: request.prompt_tokens,
            sampling: Static(request.sampling.clone()),
            unit_price: request.unit_price,
            max_price: request.max_price,
            cap: request.cap,
            valid_until: request.valid_until,
        },
        signature: signature_for_chain(&from.signature),
    }
}

/// A signed receipt, as calls take it.
pub fn receipt_for_chain(from: &SignedReceipt<AccountId>) -> ChainReceipt {
    let receipt = &from.receipt;
    ChainReceipt {
        receipt: chain::chasqui_primitives::session::Receipt {
            session: receipt.session,
            operator: theirs(&receipt.operator),
            seq: receipt.seq,
            request: receipt.request,
            output_hash: receipt.output_hash,
            trace_root: receipt.trace_root,
            prompt_tokens: receipt.prompt_tokens,
            output_tokens: receipt.output_tokens,
            finish: Static(receipt.finish),
            price: receipt.price,
        },
        signature: signature_for_chain(&from.signature),
    }
}

/// A signed receipt.
pub fn receipt_of(from: ChainReceipt) -> SignedReceipt<AccountId> {
    let receipt = from.receipt;
    SignedReceipt {
        receipt: Receipt {
            session: receipt.session,
            operator: ours(&receipt.operator),
            seq: receipt.seq,
            request: receipt.request,
            output_hash: receipt.output_hash,
            trace_root: receipt.trace_root,
            prompt_tokens: receipt.prompt_tokens,
            output_tokens: receipt.output_tokens,
            finish: receipt.finish.0,
            price: receipt.price,
        },
        signature: signature_of(from.signature),
    }
}
