//! View functions answer through the runtime, as clients call them.

use super::world::*;
use crate::{Rewards, Runtime};
use chasqui_primitives::{JobClass, JobStage, JobStatus, Prompt, TEXT_PROMPT_EXTRA_TOKENS};
use frame_support::view_functions::ViewFunction;
use parity_scale_codec::{Decode, Encode};

/// Calls a view function by its id, as the runtime API does.
fn ask<Query>(query: Query) -> Query::ReturnType
where
    Query: ViewFunction + Encode,
    Query::ReturnType: Decode,
{
    let answer = Runtime::execute_view_function(Query::id(), query.encode()).unwrap();
    Query::ReturnType::decode(&mut &answer[..]).unwrap()
}

#[test]
fn the_bounds_of_a_prompt_are_constants_of_the_metadata() {
    // GIVEN the runtime's metadata WHEN a dapp looks for the bounds of a prompt THEN they are there by name
    let metadata = chain(1).execute_with(|| Runtime::metadata_at_version(16).unwrap());
    let has = |name: &str| {
        metadata
            .windows(name.len())
            .any(|bytes| bytes == name.as_bytes())
    };
    for name in [
        "TextPromptExtraTokens",
        "MaxInlinePromptBytes",
        "MaxInlinePromptIds",
    ] {
        assert!(has(name), "{name}");
    }
}

#[test]
fn clients_can_ask_for_operators_prices_and_jobs() {
    chain(5).execute_with(|| {
        // GIVEN a network that serves a checkpoint
        network(2, 3, 7);
        // THEN its operators and terms can be asked for
        let operators = ask(pallet_operators::OperatorsOfViewFunction::<Runtime>::new(
            root(0),
            None,
            100,
        ));
        assert_eq!(operators.len(), 5);
        assert!(operators.iter().all(|operator| operator.active));
        let takes = pallet_operators::TakesPaymentViewFunction::<Runtime>::new(root(0));
        assert!(ask(takes));
        let text = Prompt::Text(b"hi".to_vec().try_into().unwrap());
        let quote = |root| pallet_jobs::QuoteViewFunction::<Runtime>::new(root, text.clone(), 8);
        let quoted = ask(quote(root(0))).unwrap();
        assert_eq!(quoted.prompt_tokens, 2 + TEXT_PROMPT_EXTRA_TOKENS);
        assert_eq!(quoted.escrow, (10 + 8 * 4) * 7);
        // AND where there is no quote the answer is the error of the pallet
        let unknown = pallet_jobs::Error::<Runtime>::UnknownCheckpoint;
        assert_eq!(ask(quote(root(9))), Err(unknown.into()));

        // WHEN a job is submitted
        let job = submit(&person(8), 8, JobClass::Standard);
        // THEN its status can be asked for
        let status: Option<JobStatus<_>> = ask(pallet_jobs::JobViewFunction::<Runtime>::new(job));
        assert_eq!(status.map(|status| status.stage), Some(JobStage::Submitted));
        // AND it is found by its client
        let of_client = pallet_jobs::JobsOfViewFunction::<Runtime>::new(person(8), None, 10);
        let found = ask(of_client);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].job, job);
        // AND so can the ledger's pot and the chain's source of randomness
        let pot = ask(pallet_rewards::PotViewFunction::<Runtime>::new());
        assert_eq!(pot, Rewards::pot_account());
        let insecure = crate::randomness::IsInsecureViewFunction::<Runtime>::new();
        assert!(ask(insecure));
    });
}
