//! What an executor signs: the receipt binds the answer to the question, the model and the price.

use crate::{hash, sampling::Sampling, Balance, CheckpointRoot, FinishReason, JobId};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_runtime::{traits::IdentifyAccount, traits::Verify, MultiSignature};

/// Everything an executor asserts of one job (protocol J). Its signature makes it checkable offline, by anybody.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Receipt<AccountId> {
    pub job: JobId,
    pub operator: AccountId,
    pub checkpoint: CheckpointRoot,
    /// `H(salt ‖ prompt ids)`.
    pub prompt_hash: H256,
    pub prompt_tokens: u32,
    pub sampling: Sampling,
    pub output_hash: H256,
    /// Root of the token trace, see [`crate::trace`].
    pub trace_root: H256,
    pub output_tokens: u32,
    pub finish: FinishReason,
    /// What the job costs, in planck.
    pub price: Balance,
}

impl<AccountId: Encode> Receipt<AccountId> {
    /// The 32 bytes that are signed.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        hash::tagged_hash(hash::tag::RECEIPT, genesis, self)
    }

    /// Whether `signature` over this receipt on the chain `genesis` is `signer`'s.
    pub fn verify(
        &self,
        genesis: &H256,
        signature: &MultiSignature,
        signer: &<<MultiSignature as Verify>::Signer as IdentifyAccount>::AccountId,
    ) -> bool {
        signature.verify(self.signing_hash(genesis).as_bytes(), signer)
    }
}
