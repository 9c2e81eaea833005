//! Whatever anybody asks of governance, in whatever order: every pallet's state stays sound, no DOT comes or goes, and
//! what comes of it is within the bounds that hold for parameters.
//!
//! Random sequences of all its calls by contributors, strangers and those who have no say. A failure names its seed.

use super::world::*;
use crate::{
    constants::money::DOT,
    governance::{
        origins::{Origin, SMALL_SPEND},
        tracks::id,
    },
    Balances, OriginCaller, Preimage, Runtime, RuntimeCall, System,
};
use chasqui_primitives::{
    audit::{Stage, Verdict},
    JobClass,
};
use frame_support::traits::{fungible::Mutate, schedule::DispatchTime, StorePreimage};
use proptest::prelude::*;
use sp_core::H256;
use sp_runtime::Perbill;
use std::collections::BTreeMap;

const ORIGINS: [Origin; 7] = [
    Origin::WhitelistedRoot,
    Origin::Whitelister,
    Origin::Economics,
    Origin::Checkpoints,
    Origin::FundSmall,
    Origin::FundLarge,
    Origin::SlashCancellation,
];

/// Small numbers out of a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's multiplier and increment; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Contributors are 0 to 4; the others are clients and strangers.
    fn person(&mut self) -> crate::AccountId {
        let sides = if self.roll(4) > 0 { 5 } else { 8 };
        person(self.roll(sides) as u8)
    }

    /// Two of the tracks, and one that there is not.
    fn track(&mut self) -> u16 {
        [id::ECONOMICS, id::FUND_SMALL, 99][self.roll(3) as usize]
    }

    /// Any referendum that there was.
    fn old_poll(&mut self) -> u32 {
        let count = pallet_referenda::ReferendumCount::<Runtime>::get();
        self.roll(u64::from(count) + 1) as u32
    }

    /// A recent referendum, or any.
    fn poll(&mut self) -> u32 {
        let count = pallet_referenda::ReferendumCount::<Runtime>::get();
        let sides = if self.roll(8) > 0 {
            4
        } else {
            u64::from(count) + 1
        };
        count.saturating_sub(self.roll(sides) as u32)
    }
}

/// What a referendum may ask for: what its track may do, what it may not, and nonsense.
fn proposal(dice: &mut Dice) -> RuntimeCall {
    match dice.roll(8) {
        0 => pallet_economy::Call::<Runtime>::set_params {
            params: pallet_economy::Params {
                units_per_point: dice.roll(5_000),
                lowest_price: u128::from(dice.roll(3)),
                ..pallet_economy::Parameters::<Runtime>::get()
            },
        }
        .into(),
        1 => {
            let mut shares = pallet_rewards::FeeShares::<Runtime>::get();
            let moved = Perbill::from_percent(dice.roll(12) as u32);
            shares.poi = shares.poi - moved.min(shares.poi);
            // Half of the time they no longer sum to 100%, or touch the locked one.
            match dice.roll(4) {
                0 => shares.poc = shares.poc + moved,
                1 => shares.reserve = shares.reserve + moved,
                2 => shares.fund = shares.fund + moved,
                _ => {}
            }
            pallet_rewards::Call::<Runtime>::set_shares { shares }.into()
        }
        2 | 3 => {
            let milestone = || pallet_training_fund::MilestoneTerms {
                amount: SMALL_SPEND / 3,
                description: H256::repeat_byte(1),
                deadline: System::block_number() + 200,
            };
            let milestones: Vec<_> = (0..dice.roll(4)).map(|_| milestone()).collect();
            pallet_training_fund::Call::<Runtime>::create_grant {
                beneficiary: person(7),
                milestones: milestones.try_into().expect("few"),
            }
            .into()
        }
        4 => pallet_training_fund::Call::<Runtime>::approve {
            grant: dice.roll(3) as u32,
            milestone: dice.roll(3) as u32,
        }
        .into(),
        5 => pallet_training_fund::Call::<Runtime>::decline {
            grant: dice.roll(3) as u32,
            milestone: dice.roll(3) as u32,
        }
        .into(),
        6 => pallet_training_fund::Call::<Runtime>::cancel_grant {
            grant: dice.roll(3) as u32,
        }
        .into(),
        _ => pallet_whitelist::Call::<Runtime>::whitelist_call {
            call_hash: H256::repeat_byte(dice.roll(3) as u8),
        }
        .into(),
    }
}

/// One call of somebody, and what it is called.
fn call(dice: &mut Dice) -> (&'static str, RuntimeCall) {
    use pallet_economy::Call as Economy;
    use pallet_referenda::Call as Referenda;
    use pallet_voting::Call as Voting;
    let poll = dice.poll();
    let operator = dice.person();
    match dice.roll(18) {
        0 | 1 => {
            let any = ORIGINS[dice.roll(7) as usize].clone();
            let origin = [Origin::Economics, Origin::FundSmall, any][dice.roll(3) as usize].clone();
            let proposal = proposal(dice);
            let call = Referenda::<Runtime>::submit {
                proposal_origin: Box::new(OriginCaller::Origins(origin)),
                proposal: Preimage::bound(proposal).expect("short"),
                enactment_moment: DispatchTime::After(dice.roll(3) as u32),
            };
            ("submit", call.into())
        }
        2 | 16 | 17 => (
            "place_decision_deposit",
            Referenda::<Runtime>::place_decision_deposit { index: poll }.into(),
        ),
        3 => (
            "refund_decision_deposit",
            Referenda::<Runtime>::refund_decision_deposit {
                index: dice.old_poll(),
            }
            .into(),
        ),
        4 => (
            "refund_submission_deposit",
            Referenda::<Runtime>::refund_submission_deposit {
                index: dice.old_poll(),
            }
            .into(),
        ),
        5..=8 => (
            "vote",
            Voting::<Runtime>::vote {
                operator,
                poll,
                aye: dice.roll(3) > 0,
            }
            .into(),
        ),
        9 => (
            "remove_vote",
            Voting::<Runtime>::remove_vote { operator, poll }.into(),
        ),
        10 => (
            "delegate",
            Voting::<Runtime>::delegate {
                operator,
                class: dice.track(),
                to: dice.person(),
            }
            .into(),
        ),
        11 => (
            "undelegate",
            Voting::<Runtime>::undelegate {
                operator,
                class: dice.track(),
            }
            .into(),
        ),
        12 => (
            "clean_up",
            Voting::<Runtime>::clean_up {
                poll: dice.old_poll(),
                most: dice.roll(10) as u32,
            }
            .into(),
        ),
        13 => {
            let price = [0, 1, 10_000_000, u128::MAX][dice.roll(4) as usize];
            (
                "vote_price",
                Economy::<Runtime>::vote_price { operator, price }.into(),
            )
        }
        14 => (
            "clear_price_vote",
            Economy::<Runtime>::clear_price_vote { operator }.into(),
        ),
        _ => (
            "prove",
            pallet_training_fund::Call::<Runtime>::prove {
                grant: dice.roll(3) as u32,
                milestone: dice.roll(3) as u32,
                evidence: H256::repeat_byte(2),
            }
            .into(),
        ),
    }
}

/// How often each call was made, and how often it succeeded.
type Seen = BTreeMap<&'static str, (u32, u32)>;

fn play(seed: u64, steps: u32) -> Seen {
    let mut seen = Seen::new();
    chain(seed).execute_with(|| {
        network(1, 4, 10_000_000);
        for who in 0..8 {
            Balances::mint_into(&person(who), 1_000 * DOT).unwrap();
        }
        Balances::mint_into(&crate::TrainingFund::account_id(), 10_000 * DOT).unwrap();
        let job = submit(&person(8), 8, JobClass::Standard);
        compute(job, &[31, 32, 33, 34, 0]);
        let case = await_some(10, || status(job).case);
        judge(case, Stage::One, Verdict::Valid);
        let epoch = current_epoch();
        await_some(200, || {
            pallet_economy::Newest::<Runtime>::get().filter(|newest| *newest >= epoch)
        });
        let issued = Balances::total_issuance();
        let fund = pallet_rewards::FeeShares::<Runtime>::get().fund;
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for step in 0..steps {
            let (name, call) = call(&mut dice);
            // Mostly whom it is about, sometimes anybody.
            let who = match &call {
                RuntimeCall::Voting(
                    pallet_voting::Call::vote { operator, .. }
                    | pallet_voting::Call::remove_vote { operator, .. }
                    | pallet_voting::Call::delegate { operator, .. }
                    | pallet_voting::Call::undelegate { operator, .. },
                )
                | RuntimeCall::Economy(
                    pallet_economy::Call::vote_price { operator, .. }
                    | pallet_economy::Call::clear_price_vote { operator },
                ) if dice.roll(8) > 0 => operator.clone(),
                RuntimeCall::TrainingFund(_) => person(7),
                _ => dice.person(),
            };
            let entry = seen.entry(name).or_default();
            entry.0 += 1;
            if send(&who, call).is_ok() {
                entry.1 += 1;
            }
            let blocks = if dice.roll(4) > 0 { 0 } else { dice.roll(12) };
            (0..blocks).for_each(|_| next_block());
            check_state();
            assert_eq!(
                Balances::total_issuance(),
                issued,
                "seed {seed}, step {step}: {name} made or burnt DOT"
            );
            // Whatever passed, these hold.
            let shares = pallet_rewards::FeeShares::<Runtime>::get();
            assert!(shares.is_whole() && shares.fund == fund, "{shares:?}");
            assert!(pallet_economy::Parameters::<Runtime>::get().is_valid());
        }
    });
    seen
}

#[test]
fn known_sequences_reach_every_call() {
    let mut seen = Seen::new();
    for seed in [1, 2, 3] {
        for (name, (made, good)) in play(seed, 250) {
            let entry = seen.entry(name).or_default();
            entry.0 += made;
            entry.1 += good;
        }
    }
    println!("{seen:#?}");
    for name in [
        "submit",
        "place_decision_deposit",
        "refund_decision_deposit",
        "vote",
        "remove_vote",
        "delegate",
        "undelegate",
        "clean_up",
        "vote_price",
        "clear_price_vote",
    ] {
        assert!(seen[name].1 > 0, "{name} never succeeded: {seen:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_leaves_a_sound_state(seed in any::<u64>()) {
        play(seed, 150);
    }
}
