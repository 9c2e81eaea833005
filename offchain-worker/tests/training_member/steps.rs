//! What a member does now, as a function of plain values.

use std::collections::BTreeMap;

use chasqui_chain::AccountId32;
use chasqui_primitives::training::{
    machine::{Pending, Settling},
    rank_of, Contribution, Exit, Judged, List, Member, ModelState, Phase, Ranks, Round, Run,
};
use chasqui_worker::training::member::{
    books::Sealed,
    facts::{Facts, RoundFacts},
    step::{next, Gone, Held, Step, Waiting},
};
use sp_core::H256;

use crate::{
    common,
    world::{who, GENESIS, RUN},
};

const NOW: u32 = 100;
const SEED: H256 = H256::repeat_byte(5);

fn model(byte: u8) -> ModelState {
    ModelState {
        hash: H256::repeat_byte(byte),
        ..ModelState::default()
    }
}

fn sealed() -> Sealed {
    Sealed {
        report: report(),
        salt: [3; 32],
        commitment: H256::repeat_byte(6),
    }
}

fn report() -> chasqui_primitives::training::RoundReport {
    chasqui_primitives::training::RoundReport {
        gradient: H256::repeat_byte(1),
        kept: H256::repeat_byte(2),
        leaves: 4,
        tokens: 1,
        units: 1,
        loss_micro: 1,
        norm_milli: 1,
    }
}

/// An active member of a round in this phase, with what it contributed.
fn facts(phase: Phase, own: impl FnOnce(&mut Contribution<AccountId32>)) -> Facts {
    let mut run = Run::new(0);
    run.phase = phase;
    run.round = 3;
    run.active = 2;
    let member = Member {
        list: List::Active,
        slot: 1,
        ready: true,
        ..Member::new(H256::zero(), 1, 0)
    };
    let record = Round {
        members: 2,
        seed: Some(SEED),
        base: Some(model(1)),
        ..Round::default()
    };
    let rank = rank_of(&SEED, 1, 2).unwrap();
    let mut contribution = Contribution::new(who(1));
    own(&mut contribution);
    Facts {
        block: NOW,
        genesis: GENESIS,
        id: RUN,
        root: H256::zero(),
        terms: common::terms(100),
        run,
        who: who(1),
        member: Some(member),
        members: vec![who(1), who(2)],
        round: Some(RoundFacts {
            number: 3,
            record,
            contributions: BTreeMap::from([(rank, contribution)]),
        }),
        pending: None,
        live: BTreeMap::from([(3, record)]),
    }
}

fn ready() -> Held {
    Held {
        prepared: true,
        stands: Some(3),
        ..Held::default()
    }
}

fn step(phase: Phase, held: &Held, own: impl FnOnce(&mut Contribution<AccountId32>)) -> Step {
    next(&facts(phase, own), held, true)
}

fn none(_: &mut Contribution<AccountId32>) {}

fn committed(own: &mut Contribution<AccountId32>) {
    own.commitment = Some(sealed().commitment);
}

fn revealed(own: &mut Contribution<AccountId32>) {
    committed(own);
    own.report = Some(report());
}

const LATER: u32 = NOW + 10;

// GIVEN a member in a round WHEN the phases pass THEN it does one thing after the other, each once
#[test]
fn each_phase_has_its_step() {
    let trained = Held {
        report: Some(report()),
        ..ready()
    };
    let committing = Held {
        sealed: Some(sealed()),
        ..trained.clone()
    };
    let agreeing = Held {
        outcome: Some(model(2)),
        ..committing.clone()
    };
    let (train, exchange, attest, agree) = (
        Phase::Train { until: LATER },
        Phase::Exchange { until: LATER },
        Phase::Attest { until: LATER },
        Phase::Agree { until: LATER },
    );
    let waits = Step::Wait(Waiting::ForOthers);
    assert_eq!(step(train, &ready(), none), Step::Train);
    assert_eq!(step(train, &trained, none), Step::Commit);
    assert_eq!(step(train, &committing, none), Step::Commit);
    assert_eq!(step(train, &committing, committed), waits);
    assert_eq!(step(exchange, &committing, committed), Step::Reveal);
    assert_eq!(step(exchange, &committing, revealed), waits);
    assert_eq!(step(attest, &committing, revealed), Step::Attest);
    let attested = |own: &mut Contribution<AccountId32>| {
        revealed(own);
        own.attests = Some(Ranks::none(2));
    };
    assert_eq!(step(attest, &committing, attested), waits);
    assert_eq!(
        step(Phase::Audit { until: LATER }, &committing, attested),
        waits
    );
    assert_eq!(step(agree, &committing, attested), Step::Outer);
    assert_eq!(step(agree, &agreeing, attested), Step::Agree);
    let voted = |own: &mut Contribution<AccountId32>| own.vote = Some(H256::zero());
    assert_eq!(step(agree, &agreeing, voted), waits);
}

// GIVEN a member without base or data, or not yet ready, or not standing where the round begins
// WHEN it is asked THEN that comes first
#[test]
fn what_must_be_there_comes_first() {
    let train = Phase::Train { until: LATER };
    assert_eq!(step(train, &Held::default(), none), Step::Prepare);
    let lost = Held {
        stands: Some(2),
        ..ready()
    };
    assert_eq!(step(train, &lost, none), Step::Stand);
    assert_eq!(step(Phase::Seed, &lost, none), Step::Stand);
    assert_eq!(
        step(Phase::Agree { until: LATER }, &lost, none),
        Step::Stand
    );
    let mut waiting = facts(Phase::Forming, none);
    waiting.member = Some(Member::new(H256::zero(), 0, 0));
    assert_eq!(next(&waiting, &ready(), true), Step::Heartbeat);
    waiting.member = waiting.member.map(|member| Member {
        ready: true,
        ..member
    });
    assert_eq!(
        next(&waiting, &ready(), true),
        Step::Wait(Waiting::ForRound)
    );
}

// GIVEN a deadline that the next block reaches
// WHEN something is still to be done for it
// THEN nothing is sent that would be refused: the member says so and goes on
#[test]
fn what_would_be_too_late_is_not_sent() {
    let held = Held {
        sealed: Some(sealed()),
        outcome: Some(model(2)),
        ..ready()
    };
    let cases: [(fn(u32) -> Phase, fn(&mut Contribution<AccountId32>)); 4] = [
        (|until| Phase::Train { until }, none),
        (|until| Phase::Exchange { until }, committed),
        (|until| Phase::Attest { until }, revealed),
        (|until| Phase::Agree { until }, none),
    ];
    for (phase, own) in cases {
        for until in [0, NOW, NOW + 1] {
            let late = step(phase(until), &held, own);
            assert!(matches!(late, Step::Wait(Waiting::TooLate(_))), "{late:?}");
        }
        let last = step(phase(NOW + 2), &held, own);
        assert!(!matches!(last, Step::Wait(_)), "{last:?}");
    }
}

// GIVEN a commitment on chain that is not what lies in the state folder, or of which nothing lies there
// WHEN it is to be revealed
// THEN nothing is
#[test]
fn what_does_not_match_the_chain_is_not_revealed() {
    let exchange = Phase::Exchange { until: LATER };
    let other = Sealed {
        commitment: H256::repeat_byte(7),
        ..sealed()
    };
    for sealed in [None, Some(other)] {
        let held = Held { sealed, ..ready() };
        let skips = step(exchange, &held, committed);
        assert!(matches!(skips, Step::Wait(Waiting::Skips(_))), "{skips:?}");
    }
}

// GIVEN an agreed model that is not what this member computed
// WHEN it can still be challenged, was already, or may not be
// THEN it is challenged once, in time, whatever else is to be done
#[test]
fn a_false_model_is_challenged_once() {
    let pending = |until| {
        let mut facts = facts(Phase::Train { until: LATER }, none);
        facts.run.pending = Some(Pending {
            round: 2,
            settling: Settling::Window { until },
        });
        facts.pending = Some(RoundFacts {
            number: 2,
            record: Round {
                agreed: Some(model(1)),
                ..Round::default()
            },
            contributions: BTreeMap::new(),
        });
        facts
    };
    let held = Held {
        disputes: Some(model(2)),
        ..ready()
    };
    let open = pending(LATER);
    assert_eq!(next(&open, &held, true), Step::Challenge);
    assert_eq!(next(&open, &held, false), Step::Train);
    assert_eq!(next(&pending(NOW + 1), &held, true), Step::Train);
    let once = Held {
        challenged: true,
        ..held.clone()
    };
    assert_eq!(next(&open, &once, true), Step::Train);
    for same in [None, Some(model(1))] {
        let held = Held {
            disputes: same,
            ..ready()
        };
        assert_eq!(next(&open, &held, true), Step::Train);
    }
    // Of the checkpoint alone no case decides.
    let checkpoint = ModelState {
        checkpoint: H256::repeat_byte(4),
        ..model(1)
    };
    let held = Held {
        disputes: Some(checkpoint),
        ..ready()
    };
    assert_eq!(next(&open, &held, true), Step::Train);
}

// GIVEN somebody who is no member any more, was proven false, or whose run is over
// WHEN it is asked THEN nothing is left but to serve what may still be asked for
#[test]
fn who_is_out_only_serves() {
    let train = Phase::Train { until: LATER };
    let mut gone = facts(train, none);
    gone.member = None;
    assert_eq!(next(&gone, &ready(), true), Step::Linger(Gone::NotMember));
    let mut banned = facts(train, none);
    banned.member = banned.member.map(|member| Member {
        list: List::Banned,
        exit: Some(Exit::Convicted),
        ..member
    });
    assert_eq!(next(&banned, &ready(), true), Step::Linger(Gone::Banned));
    let mut leaving = facts(train, none);
    leaving.member = leaving.member.map(|member| Member {
        exit: Some(Exit::Convicted),
        ..member
    });
    let silent = next(&leaving, &ready(), true);
    assert!(
        matches!(silent, Step::Wait(Waiting::Skips(_))),
        "{silent:?}"
    );
    leaving.member = leaving.member.map(|member| Member {
        exit: Some(Exit::Left),
        ..member
    });
    assert_eq!(next(&leaving, &ready(), true), Step::Train);
    let over = facts(Phase::Finished, none);
    assert_eq!(next(&over, &ready(), true), Step::Linger(Gone::Over));
    let convicted = |own: &mut Contribution<AccountId32>| own.judged = Judged::Convicted;
    let silent = step(Phase::Agree { until: LATER }, &ready(), convicted);
    assert!(
        matches!(silent, Step::Wait(Waiting::Skips(_))),
        "{silent:?}"
    );
}
