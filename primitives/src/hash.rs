//! Domain-separated hashing: `blake2_256` over a SCALE tuple that begins with a tag and the genesis hash.

use parity_scale_codec::Encode;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Tags of everything that is hashed or signed. A tag ends in the version of the bytes behind it.
pub mod tag {
    pub const PROMPT: &[u8] = b"chasqui/prompt/1";
    pub const OUTPUT: &[u8] = b"chasqui/output/1";
    pub const RECEIPT: &[u8] = b"chasqui/receipt/1";
    pub const VERDICT: &[u8] = b"chasqui/verdict/1";
    pub const SEED: &[u8] = b"chasqui/seed/1";
    pub const DRAW_EXECUTOR: &[u8] = b"chasqui/draw/executor/1";
    pub const DRAW_AUDIT: &[u8] = b"chasqui/draw/audit/1";
    pub const DRAW_PANEL: &[u8] = b"chasqui/draw/panel/1";
    pub const PROJECTION: &[u8] = b"chasqui/projection/1";
    pub const SESSION_ID: &[u8] = b"chasqui/session/id/1";
    pub const SESSION_REQUEST: &[u8] = b"chasqui/session/request/1";
    pub const SESSION_SIGNED_REQUEST: &[u8] = b"chasqui/session/signed-request/1";
    pub const SESSION_RECEIPT: &[u8] = b"chasqui/session/receipt/1";
    pub const SESSION_SETTLEMENT: &[u8] = b"chasqui/session/settlement/1";
    pub const SESSION_SHRINK: &[u8] = b"chasqui/session/shrink/1";
    pub const DRAW_COMMITTEE: &[u8] = b"chasqui/draw/committee/1";
    pub const DRAW_PLANCKS: &[u8] = b"chasqui/draw/plancks/1";
    pub const RUN: &[u8] = b"chasqui/run/1";
    pub const ROUND_COMMITMENT: &[u8] = b"chasqui/run/commitment/1";
    pub const MODEL_STATE: &[u8] = b"chasqui/run/state/1";
    pub const REPLAY_CLASS: &[u8] = b"chasqui/run/class/1";
    pub const PERMUTATION: &[u8] = b"chasqui/run/permutation/1";
    pub const DRAW_ROUND: &[u8] = b"chasqui/draw/round/1";
    pub const DRAW_SEGMENTS: &[u8] = b"chasqui/draw/segments/1";
}

/// `blake2_256((tag, genesis, payload))`, the one way anything of the protocol is hashed.
pub fn tagged_hash(tag: &[u8], genesis: &H256, payload: &impl Encode) -> H256 {
    H256(blake2_256(&(tag, genesis, payload).encode()))
}

/// `H(salt ‖ prompt ids)`: what commitments and receipts say of a prompt.
pub fn prompt_hash(genesis: &H256, salt: &[u8; 32], ids: &[u32]) -> H256 {
    tagged_hash(tag::PROMPT, genesis, &(salt, ids))
}

/// What commitments and receipts say of an output: the hash of its token ids, never of text.
pub fn output_hash(genesis: &H256, ids: &[u32]) -> H256 {
    tagged_hash(tag::OUTPUT, genesis, &ids)
}
