//! One stake backs everything that its operator has in flight.

use super::*;
use chasqui_primitives::ExpiryReason;
use frame_support::assert_ok;

/// Only operator 0 computes, and loses `stake` by a false result.
fn stake(stake: Balance) {
    only_executor(0);
    Registry::mutate_exists(operator(0), |o| {
        o.as_mut().expect("known").slashable = stake
    });
}

fn exposure() -> Option<(u32, Balance)> {
    Exposures::<Test>::get(operator(0)).map(|exposure| (exposure.jobs, exposure.pay))
}

#[test]
fn one_stake_does_not_back_more_jobs_than_it_can() {
    build_and_execute(|| {
        // GIVEN a stake of 1,000 behind two jobs that cost up to 350 each
        stake(1_000);
        let jobs = [(); 3].map(|()| Request::default().submitted());
        // WHEN a third is drawn THEN its executor would gain by cheating on all three
        run_to_draw();
        assert_eq!(exposure(), Some((2, 700)));
        assert_eq!(
            jobs.map(outcome),
            [
                None,
                None,
                Some(JobOutcome::Expired(ExpiryReason::NoExecutor))
            ]
        );
        // WHEN one of them is answered, for less THEN there is room for another
        assert_ok!(commit(jobs[0], answer(jobs[0])));
        Request::default().assigned();
    });
}

#[test]
fn an_answer_binds_the_stake_by_its_price_until_its_job_ends() {
    build_and_execute(|| {
        // GIVEN two jobs of one executor
        stake(RICH);
        let (first, second) = (
            Request::default().submitted(),
            Request::default().submitted(),
        );
        assert_eq!(exposure(), None);
        run_to_draw();
        assert_eq!(exposure(), Some((2, 700)));
        // WHEN one is answered THEN it counts with what the answer costs
        assert_ok!(commit(first, answer(first)));
        assert_eq!(exposure(), Some((2, 350 + 190)));
        // WHEN the other is given back THEN it does not count
        assert_ok!(refuse(second, RefusalReason::Busy));
        assert_eq!(exposure(), Some((1, 190)));
        // WHEN the first has ended THEN nothing is left
        run_to_draw();
        let Stage::InAudit { case } = job(first).stage else {
            panic!("audited")
        };
        close(case, Decision::Valid);
        assert_eq!(exposure(), None);
    });
}

#[test]
fn what_rides_on_the_same_stake_makes_audits_likelier() {
    build_and_execute(|| {
        // GIVEN an executor of full reputation and a stake of 1,000, two answers of 190 each, and a
        // mood in which an audit of 20% would spare the first, and one of 39% would not
        stake(1_000);
        let (first, second) = (
            Request::default().submitted(),
            Request::default().submitted(),
        );
        run_to_draw();
        set_reputation(0, Perbill::one());
        assert_ok!(commit(first, answer(first)));
        assert_ok!(commit(second, answer(second)));
        let draw = Draws::<Test>::get(job(first).stage.ticket().expect("waits")).expect("waits");
        let entropy = (0u64..)
            .find(|entropy| {
                let seed = H256((draw.due, entropy).using_encoded(sp_io::hashing::blake2_256));
                let tag = hash::tag::DRAW_AUDIT;
                let subseed = draw_subseed(tag, &genesis_hash(), &seed, &first.encode(), 0);
                let drawn = |percent| bernoulli(&subseed, Perbill::from_percent(percent));
                drawn(39) && !drawn(20)
            })
            .expect("one in five");
        Entropy::put(entropy);
        // WHEN it is drawn THEN it is audited, because of the other
        run_to_draw();
        assert_eq!(stage(first), JobStage::InAudit);
    });
}
