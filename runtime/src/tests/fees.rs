//! What transactions cost their senders, beside what a job costs.

use super::world::*;
use crate::{
    constants::money::{BASE_WEIGHT_FEE, BYTE_FEE, DOT},
    Balance, Runtime, RuntimeCall, TransactionPayment,
};
use chasqui_primitives::{
    sampling::Sampling,
    trace::{encode_trace, TRACE_LEAF_BYTES},
    FinishReason, JobClass, Output, Prompt, MAX_OPENING_BYTES,
};
use frame_support::{
    dispatch::{DispatchClass, GetDispatchInfo},
    weights::{
        constants::{ExtrinsicBaseWeight, ParityDbWeight},
        RuntimeDbWeight, WeightToFee,
    },
};
use parity_scale_codec::Encode;
use sp_core::{sr25519, H256};
use sp_runtime::MultiSignature;

/// Bytes of a signed transaction beside its call: version, address, signature and extensions.
const SIGNED_BYTES: u32 = 120;
/// Price of a unit of compute of the shipped checkpoint, as the demo and the dapp scripts accept it.
const DEFAULT_UNIT_PRICE: Balance = DOT / 10_000;

/// What a signed transaction of this call costs before anything is refunded.
fn fee(call: impl Into<RuntimeCall>) -> Balance {
    let call = call.into();
    let bytes = call.encoded_size() as u32 + SIGNED_BYTES;
    TransactionPayment::compute_fee(bytes, &call.get_dispatch_info(), 0)
}

fn submit_call(prompt: Prompt, max_tokens: u32) -> pallet_jobs::Call<Runtime> {
    pallet_jobs::Call::submit {
        checkpoint: root(0),
        prompt,
        salt: SALT,
        sampling: Sampling::greedy(max_tokens),
        max_price: Balance::MAX,
        class: JobClass::Standard,
    }
}

fn commit_call(tokens: usize) -> pallet_jobs::Call<Runtime> {
    pallet_jobs::Call::commit {
        job: 1,
        commitment: pallet_jobs::Commitment {
            prompt_hash: H256::zero(),
            prompt_tokens: 1,
            output: Output::Ids(vec![1; tokens].try_into().unwrap()),
            output_hash: H256::zero(),
            output_tokens: tokens as u32,
            trace_root: H256::zero(),
            finish: FinishReason::Length,
            price: 1,
            signature: MultiSignature::Sr25519(sr25519::Signature::from_raw([0; 64])),
        },
    }
}

#[test]
fn a_clients_fees_are_a_small_share_of_what_a_short_job_costs() {
    chain(1).execute_with(|| {
        // GIVEN a job of 64 output tokens at the default price: the smallest that anybody would call typical
        let prompt = Prompt::Text(b"Once upon a time".to_vec().try_into().unwrap());
        let price = (4 + 64 * 4) * DEFAULT_UNIT_PRICE;
        // WHEN its client submits it, all that it ever has to send; even if it cancels
        let submit = fee(submit_call(prompt, 64));
        let cancel = fee(pallet_jobs::Call::<Runtime>::cancel { job: 1 });
        let commit = fee(commit_call(64));
        println!("submit {submit}, cancel {cancel}, commit {commit}, price {price} planck");
        // THEN the fees are less than half of the price
        assert!(
            submit + cancel < price / 2,
            "{submit} and {cancel} of {price}"
        );
        assert!(submit > 0 && cancel > 0);
    });
}

#[test]
fn fees_follow_the_rate_of_system_parachains() {
    // GIVEN the base weight of a transaction THEN it costs the 200th of a cent, up to rounding
    type Fee = <Runtime as pallet_transaction_payment::Config>::WeightToFee;
    let base = Fee::weight_to_fee(&ExtrinsicBaseWeight::get());
    assert!(
        (BASE_WEIGHT_FEE - 1..=BASE_WEIGHT_FEE).contains(&base),
        "{base}"
    );
    // AND a block costs the same whether time or proof fills it
    let block = crate::config::RuntimeBlockWeights::get().max_block;
    let time = Fee::weight_to_fee(&block.set_proof_size(0));
    let proof = Fee::weight_to_fee(&block.set_ref_time(0));
    assert_eq!(time, proof);
    println!("a full block costs {time} planck");
    // AND to fill one costs somebody about a DOT, at the lowest congestion
    assert!((DOT / 2..2 * DOT).contains(&time), "{time}");
}

#[test]
fn whoever_must_post_a_whole_trace_can_pay_for_it_first() {
    chain(1).execute_with(|| {
        // GIVEN the longest opening there is, which costs nothing once it has succeeded
        let leaf = trace_of(&[1]);
        let leaves = MAX_OPENING_BYTES as usize / TRACE_LEAF_BYTES;
        let opening = encode_trace(&leaf.repeat(leaves));
        assert_eq!(opening.len(), MAX_OPENING_BYTES as usize);
        // WHEN it is sent THEN its fee is within the DOT that a hot key is funded with
        let call = pallet_audits::Call::<Runtime>::post_opening {
            case: 1,
            opening: opening.try_into().unwrap(),
        };
        let opening = fee(call);
        let commit = fee(commit_call(2_048));
        println!("opening {opening}, longest commitment {commit} planck, at first");
        assert!(opening < DOT && commit < DOT / 2);
        assert!(opening > Balance::from(MAX_OPENING_BYTES) * BYTE_FEE);
    });
}

#[test]
fn calls_with_a_deadline_and_the_admins_are_operational() {
    // GIVEN calls that somebody is penalised for not making in time, and those that govern
    let evidence = evidence();
    let operational: [RuntimeCall; 9] = [
        commit_call(1).into(),
        pallet_jobs::Call::acknowledge {
            job: 1,
            prompt_hash: H256::zero(),
            prompt_tokens: 1,
        }
        .into(),
        pallet_jobs::Call::refuse {
            job: 1,
            reason: pallet_jobs::RefusalReason::Busy,
        }
        .into(),
        pallet_audits::Call::commit {
            case: 1,
            commitment: H256::zero(),
        }
        .into(),
        pallet_audits::Call::reveal {
            case: 1,
            verdict: chasqui_primitives::audit::Verdict::Valid,
            evidence,
            salt: SALT,
        }
        .into(),
        pallet_audits::Call::post_opening {
            case: 1,
            opening: Default::default(),
        }
        .into(),
        pallet_checkpoints::Call::calibrate {
            root: root(0),
            thresholds: thresholds(1),
        }
        .into(),
        pallet_checkpoints::Call::accept { root: root(0) }.into(),
        pallet_jobs::Call::set_params {
            params: Default::default(),
        }
        .into(),
    ];
    // THEN blocks full of submissions leave them room
    for call in operational {
        assert_eq!(call.get_dispatch_info().class, DispatchClass::Operational);
    }
    let submit: RuntimeCall = submit_call(Prompt::Ids(Default::default()), 1).into();
    assert_eq!(submit.get_dispatch_info().class, DispatchClass::Normal);
}

#[test]
fn database_weights_are_those_of_the_nodes_database() {
    // GIVEN nodes that keep their state in ParityDb THEN reads and writes weigh what they cost there
    let weights: RuntimeDbWeight = <Runtime as frame_system::Config>::DbWeight::get();
    assert_eq!(weights, ParityDbWeight::get());
}
