//! Those who contribute decide: referenda from submission to effect, on the real pallets.

use super::world::*;
use crate::{
    constants::money::DOT,
    governance::{origins::Origin, origins::SMALL_SPEND, tracks::id},
    Balance, Economy, OriginCaller, Preimage, Referenda, Runtime, RuntimeCall, RuntimeEvent,
    System, TrainingFund,
};
use chasqui_primitives::{
    audit::{Stage, Verdict},
    JobClass,
};
use frame_support::traits::{
    fungible::Mutate, schedule::DispatchTime, Bounded, PollStatus, Polling, StorePreimage,
};
use pallet_voting::TallyOf;
use sp_core::H256;
use sp_runtime::traits::{BlakeTwo256, Hash};

/// Validators that vote; the executor is person 0.
const VALIDATORS: std::ops::RangeInclusive<u8> = 1..=4;

/// A chain on which an executor and four validators have worked, and a census has been taken of that.
fn worked(seed: u64, test: impl FnOnce()) {
    chain(seed).execute_with(|| {
        network(1, 4, 10_000_000);
        let job = submit(&person(8), 8, JobClass::Standard);
        compute(job, &[31, 32, 33, 34, 0]);
        let case = await_some(10, || status(job).case);
        judge(case, Stage::One, Verdict::Valid);
        let epoch = current_epoch();
        await_some(200, || {
            pallet_economy::Newest::<Runtime>::get().filter(|newest| *newest >= epoch)
        });
        test();
        check_state();
    });
}

/// Submits a referendum by a stranger, with its decision deposit.
fn refer(origin: Origin, call: impl Into<RuntimeCall>) -> u32 {
    let proposal = Preimage::bound(call.into()).unwrap();
    refer_bounded(origin, proposal)
}

fn refer_bounded(origin: Origin, proposal: Bounded<RuntimeCall, BlakeTwo256>) -> u32 {
    let poll = pallet_referenda::ReferendumCount::<Runtime>::get();
    let stranger = person(9);
    let submit = pallet_referenda::Call::<Runtime>::submit {
        proposal_origin: Box::new(OriginCaller::Origins(origin)),
        proposal,
        enactment_moment: DispatchTime::After(0),
    };
    send(&stranger, submit).unwrap();
    let deposit = pallet_referenda::Call::<Runtime>::place_decision_deposit { index: poll };
    send(&stranger, deposit).unwrap();
    poll
}

fn vote(who: u8, poll: u32, aye: bool) {
    let operator = person(who);
    let vote = pallet_voting::Call::<Runtime>::vote {
        operator: operator.clone(),
        poll,
        aye,
    };
    send(&operator, vote).unwrap();
}

fn all_vote(poll: u32) {
    // Whoever contributed: the executor, and those who sat on the panel.
    for who in 0..=*VALIDATORS.end() {
        let voice = crate::Voting::voice(poll, person(who)).unwrap();
        if voice.weight > 0 {
            vote(who, poll, true);
        }
    }
}

/// Runs until a referendum is decided, and what follows from it has happened.
fn decided(poll: u32) -> bool {
    let approved = await_some(400, || {
        <Referenda as Polling<TallyOf<Runtime>>>::access_poll(poll, |status| match status {
            PollStatus::Completed(_, approved) => Some(approved),
            _ => None,
        })
    });
    (0..10).for_each(|_| next_block());
    approved
}

fn price_params() -> pallet_economy::Params {
    pallet_economy::Params {
        units_per_point: 4_321,
        ..pallet_economy::Parameters::<Runtime>::get()
    }
}

fn set_price_params() -> pallet_economy::Call<Runtime> {
    pallet_economy::Call::<Runtime>::set_params {
        params: price_params(),
    }
}

#[test]
fn a_parameter_changes_by_its_track_through_the_scheduler() {
    worked(41, || {
        let poll = refer(Origin::Economics, set_price_params());
        all_vote(poll);
        assert!(decided(poll));
        assert_eq!(Economy::parameters(), price_params());
    });
}

#[test]
fn a_track_without_the_power_changes_nothing() {
    worked(42, || {
        // GIVEN a call of the economics track, approved on another one
        let poll = refer(Origin::FundSmall, set_price_params());
        all_vote(poll);
        // WHEN it is dispatched THEN it fails, and the chain goes on
        assert!(decided(poll));
        assert_ne!(Economy::parameters(), price_params());
    });
}

#[test]
fn what_voters_are_against_fails() {
    worked(43, || {
        let poll = refer(Origin::Economics, set_price_params());
        vote(0, poll, false);
        assert!(!decided(poll));
        assert_ne!(Economy::parameters(), price_params());
    });
}

#[test]
fn a_call_that_fails_and_a_preimage_that_is_missing_harm_nobody() {
    worked(44, || {
        // GIVEN shares that do not sum to 100%, and a call that nobody has noted
        let mut shares = pallet_rewards::FeeShares::<Runtime>::get();
        shares.poi = sp_runtime::Perbill::from_percent(99);
        let before = pallet_rewards::FeeShares::<Runtime>::get();
        let failing = refer(
            Origin::Economics,
            pallet_rewards::Call::<Runtime>::set_shares { shares },
        );
        let call: RuntimeCall = set_price_params().into();
        let missing = refer_bounded(
            Origin::Economics,
            Bounded::Lookup {
                hash: BlakeTwo256::hash_of(&call),
                len: 100,
            },
        );
        for poll in [failing, missing] {
            all_vote(poll);
        }
        assert!(decided(failing));
        assert!(decided(missing));
        assert_eq!(pallet_rewards::FeeShares::<Runtime>::get(), before);
        assert_ne!(Economy::parameters(), price_params());
    });
}

#[test]
fn the_locked_share_does_not_move_by_any_track() {
    worked(45, || {
        let mut shares = pallet_rewards::FeeShares::<Runtime>::get();
        shares.fund = sp_runtime::Perbill::from_percent(19);
        shares.poi = sp_runtime::Perbill::from_percent(61);
        let before = pallet_rewards::FeeShares::<Runtime>::get();
        let poll = refer(
            Origin::Economics,
            pallet_rewards::Call::<Runtime>::set_shares { shares },
        );
        all_vote(poll);
        assert!(decided(poll));
        assert_eq!(pallet_rewards::FeeShares::<Runtime>::get(), before);
    });
}

#[test]
fn root_needs_a_whitelisted_call_and_two_referenda() {
    worked(46, || {
        let call: RuntimeCall = frame_system::Call::<Runtime>::set_storage {
            items: vec![(b"by root".to_vec(), vec![1])],
        }
        .into();
        let written = || frame_support::storage::unhashed::exists(b"by root");
        let dispatch =
            || pallet_whitelist::Call::<Runtime>::dispatch_whitelisted_call_with_preimage {
                call: Box::new(call.clone()),
            };
        // WHEN it is approved without being whitelisted THEN nothing happens
        let early = refer(Origin::WhitelistedRoot, dispatch());
        all_vote(early);
        assert!(decided(early));
        assert!(!written());
        // WHEN another track approves the whitelisting first
        let whitelist = refer(
            Origin::Whitelister,
            pallet_whitelist::Call::<Runtime>::whitelist_call {
                call_hash: BlakeTwo256::hash_of(&call),
            },
        );
        all_vote(whitelist);
        assert!(decided(whitelist));
        let poll = refer(Origin::WhitelistedRoot, dispatch());
        let bound = || {
            let executor = pallet_operators::Operators::<Runtime>::get(person(0)).unwrap();
            executor.liabilities
        };
        let before = bound();
        all_vote(poll);
        // Bonds answer for it until it has taken effect.
        assert_eq!(bound(), before + 1);
        assert!(decided(poll));
        assert!(written());
        let clean_up = pallet_voting::Call::<Runtime>::clean_up { poll, most: 100 };
        await_some(100, || send(&person(9), clean_up.clone()).ok());
        assert_eq!(bound(), before);
    });
}

#[test]
fn the_fund_pays_by_vote_as_much_as_the_track_may_promise() {
    worked(47, || {
        let fund = TrainingFund::account_id();
        crate::Balances::mint_into(&fund, 10_000 * DOT).unwrap();
        let grant = |amount: Balance| {
            let milestone = pallet_training_fund::MilestoneTerms {
                amount,
                description: H256::repeat_byte(1),
                deadline: System::block_number() + 1_000,
            };
            pallet_training_fund::Call::<Runtime>::create_grant {
                beneficiary: person(7),
                milestones: vec![milestone].try_into().unwrap(),
            }
        };
        let (small, large) = (
            refer(Origin::FundSmall, grant(SMALL_SPEND)),
            refer(Origin::FundSmall, grant(SMALL_SPEND + 1)),
        );
        for poll in [small, large] {
            all_vote(poll);
            assert!(decided(poll));
        }
        assert_eq!(TrainingFund::status().grants, SMALL_SPEND);
        // AND a milestone that is proven and approved by vote is paid
        let prove = pallet_training_fund::Call::<Runtime>::prove {
            grant: 0,
            milestone: 0,
            evidence: H256::repeat_byte(2),
        };
        send(&person(7), prove).unwrap();
        let before = wealth(&person(7));
        let approve = refer(
            Origin::FundSmall,
            pallet_training_fund::Call::<Runtime>::approve {
                grant: 0,
                milestone: 0,
            },
        );
        all_vote(approve);
        assert!(decided(approve));
        assert_eq!(wealth(&person(7)), before + SMALL_SPEND);
    });
}

#[test]
fn a_checkpoint_becomes_payable_by_vote() {
    worked(48, || {
        let retire = pallet_checkpoints::Call::<Runtime>::retire { root: root(0) };
        let poll = refer(Origin::Checkpoints, retire);
        all_vote(poll);
        assert!(decided(poll));
        let status =
            pallet_checkpoints::Registry::<Runtime>::get(root(0)).map(|known| known.status);
        assert!(!matches!(
            status,
            Some(pallet_checkpoints::Status::Accepted)
        ));
    });
}

#[test]
fn every_origin_has_its_track_and_root_has_none() {
    chain(49).execute_with(|| {
        let submit = |origin: OriginCaller| {
            let call = pallet_referenda::Call::<Runtime>::submit {
                proposal_origin: Box::new(origin),
                proposal: Preimage::bound(set_price_params().into()).unwrap(),
                enactment_moment: DispatchTime::After(0),
            };
            send(&person(9), call)
        };
        for (origin, track) in [
            (Origin::WhitelistedRoot, id::ROOT),
            (Origin::Whitelister, id::WHITELIST),
            (Origin::Economics, id::ECONOMICS),
            (Origin::Checkpoints, id::CHECKPOINTS),
            (Origin::FundSmall, id::FUND_SMALL),
            (Origin::FundLarge, id::FUND_LARGE),
            (Origin::SlashCancellation, id::SLASH_CANCELLATION),
        ] {
            submit(OriginCaller::Origins(origin)).unwrap();
            assert!(happened(|event| matches!(
                event,
                RuntimeEvent::Referenda(pallet_referenda::Event::Submitted { track: on, .. }) if *on == track
            )));
        }
        let root = OriginCaller::system(frame_system::RawOrigin::Root);
        assert!(submit(root).is_err());
        let signed = OriginCaller::system(frame_system::RawOrigin::Signed(person(1)));
        assert!(submit(signed).is_err());
    });
}

#[test]
fn no_weight_no_approval_and_strangers_have_no_vote() {
    chain(50).execute_with(|| {
        // GIVEN a chain on which nobody has contributed
        let poll = refer(Origin::Economics, set_price_params());
        let vote = pallet_voting::Call::<Runtime>::vote {
            operator: person(3),
            poll,
            aye: true,
        };
        assert!(send(&person(3), vote).is_err());
        assert!(!decided(poll));
        check_state();
    });
}
