//! What stays behind of an operator that has left: nothing.

use super::world::*;
use crate::{Runtime, System};
use chasqui_primitives::{hash, sampling::Sampling, Balance, JobClass, Prompt};
use pallet_jobs::MissingPrompts;
use sp_core::H256;

#[test]
fn an_operator_that_has_left_is_forgotten_by_the_jobs() {
    chain(3).execute_with(|| {
        // GIVEN an executor that gave a job back whose prompt nobody serves
        network(1, 3, 7);
        let (executor, client) = (person(0), person(8));
        let job = pallet_jobs::NextJob::<Runtime>::get();
        let prompt = Prompt::Blob {
            root: H256::repeat_byte(3),
            prompt_hash: hash::prompt_hash(&crate::Jobs::genesis_hash(), &SALT, &[1]),
            prompt_tokens: 1,
        };
        let submit = pallet_jobs::Call::<Runtime>::submit {
            checkpoint: root(0),
            prompt,
            salt: SALT,
            sampling: Sampling::greedy(8),
            max_price: Balance::MAX,
            class: JobClass::Standard,
        };
        send(&client, submit).unwrap();
        await_some(10, || status(job).executor);
        let reason = pallet_jobs::RefusalReason::PromptMissing;
        let refuse = pallet_jobs::Call::<Runtime>::refuse { job, reason };
        send(&executor, refuse).unwrap();
        assert_eq!(MissingPrompts::<Runtime>::get(&executor), 1);

        // WHEN it leaves and takes its bond
        send(&executor, pallet_operators::Call::<Runtime>::unbond {}).unwrap();
        let blocks = pallet_operators::Parameters::<Runtime>::get().unbonding_blocks;
        System::set_block_number(System::block_number() + blocks);
        assert!(MissingPrompts::<Runtime>::contains_key(&executor));
        send(&executor, pallet_operators::Call::<Runtime>::withdraw {}).unwrap();

        // THEN nothing of it is left, and the state is sound
        assert!(!MissingPrompts::<Runtime>::contains_key(&executor));
        check_state();
    });
}
