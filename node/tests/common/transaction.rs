//! Signed transactions.

use super::{from_hex, to_hex, Node};
use chasqui_runtime::{
    AccountId, Address, RuntimeCall, SignedPayload, TxExtension, UncheckedExtrinsic, VERSION,
};
use parity_scale_codec::{Decode, Encode};
use serde_json::json;
use sp_core::{Pair, H256};
use sp_runtime::{generic::Era, traits::IdentifyAccount, MultiSignature, MultiSigner};

/// The account of a key.
pub fn account<P: Pair>(key: &P) -> AccountId
where
    MultiSigner: From<P::Public>,
{
    MultiSigner::from(key.public()).into_account()
}

/// `call`, signed by `key` with `nonce`, encoded.
pub fn signed<P: Pair>(node: &Node, key: &P, nonce: u32, call: RuntimeCall) -> Vec<u8>
where
    MultiSigner: From<P::Public>,
    MultiSignature: From<P::Signature>,
{
    let genesis = H256::from_slice(&from_hex(&node.hash(0).expect("genesis")));
    let extension = TxExtension::new((
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckMortality::from(Era::Immortal),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
    ));
    let implicit = (
        (),
        (),
        VERSION.spec_version,
        VERSION.transaction_version,
        genesis,
        genesis,
        (),
        (),
        (),
    );
    let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
    let signature = payload.using_encoded(|bytes| key.sign(bytes));
    UncheckedExtrinsic::new_signed(
        call,
        Address::Id(account(key)),
        MultiSignature::from(signature),
        extension,
    )
    .encode()
}

impl Node {
    /// Signs and submits `call`; `Err` if the pool refuses it.
    pub fn try_submit<P: Pair>(&self, key: &P, call: RuntimeCall) -> Result<(), String>
    where
        MultiSigner: From<P::Public>,
        MultiSignature: From<P::Signature>,
    {
        use sp_core::crypto::Ss58Codec;
        let nonce = self.call(
            "system_accountNextIndex",
            json!([account(key).to_ss58check()]),
        );
        let nonce = nonce.as_u64().expect("a nonce") as u32;
        let extrinsic = signed(self, key, nonce, call);
        self.try_call("author_submitExtrinsic", json!([to_hex(&extrinsic)]))
            .map(drop)
    }

    /// Signs and submits `call`, which the pool must take.
    pub fn submit<P: Pair>(&self, key: &P, call: RuntimeCall)
    where
        MultiSigner: From<P::Public>,
        MultiSignature: From<P::Signature>,
    {
        self.try_submit(key, call)
            .expect("the pool takes the transaction");
    }

    /// What `who` can spend, in planck.
    pub fn balance(&self, who: &AccountId) -> u128 {
        type Account = frame_system::Account<chasqui_runtime::Runtime>;
        type Info = frame_system::AccountInfo<u32, pallet_balances::AccountData<u128>>;
        self.storage(&Account::hashed_key_for(who))
            .map(|bytes| Info::decode(&mut &bytes[..]).expect("an account"))
            .map_or(0, |info| info.data.free)
    }
}
