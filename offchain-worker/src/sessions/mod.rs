//! Sessions on a real chain: what the crate `chasqui-session` leaves to whoever uses it.
//!
//! | module | what it does |
//! |---|---|
//! | [`accuse`] | a client's reports of false answers, and proofs of fraud, out of its journal |
//! | [`view`] | reads the finalised chain for both sides |
//! | `convert` | the chain client's types and ours |
//! | [`pace`] | when an operator settles a channel, and when it tries again |
//! | [`serve`] | an operator's executor: listens, settles, shows what auditors ask for |
//! | [`audit`] | shows auditors what a case is about, and judges others' cases |
//! | [`cases`] | what a case is about, as the chain has it |
//! | [`client`] | a client's side: opens, follows, closes |
//! | [`gateway`] | the gateway's models that operators compute in sessions |

pub mod accuse;
pub mod audit;
pub mod cases;
pub mod client;
mod convert;
pub mod gateway;
pub mod pace;
pub mod serve;
pub mod view;

use chasqui_chain::Signer;
use chasqui_session::{AccountId, HashSigner};
use sp_runtime::MultiSignature;

/// A key of this worker, as sessions sign with it.
#[derive(Clone)]
pub struct SessionKey(pub Signer);

impl HashSigner for SessionKey {
    fn account(&self) -> AccountId {
        ours(&self.0.account())
    }

    fn sign(&self, hash: &[u8; 32]) -> MultiSignature {
        MultiSignature::Sr25519(self.0.sign_sr25519(hash).into())
    }
}

/// An account as sessions write it.
pub fn ours(account: &chasqui_chain::AccountId32) -> AccountId {
    AccountId::from(account.0)
}

/// An account as the chain's client writes it.
pub fn theirs(account: &AccountId) -> chasqui_chain::AccountId32 {
    chasqui_chain::AccountId32(*AsRef::<[u8; 32]>::as_ref(account))
}
