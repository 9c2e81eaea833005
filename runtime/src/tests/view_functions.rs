//! View functions answer through the runtime, as clients call them.

use super::world::*;
use crate::{Rewards, Runtime};
use chasqui_primitives::{JobClass, JobStage, JobStatus};
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
fn clients_can_ask_for_operators_prices_and_jobs() {
    chain(5).execute_with(|| {
        // GIVEN a network that serves a checkpoint
        network(2, 3, 7);
        // THEN its operators and terms can be asked for
        let operators = ask(pallet_operators::OperatorsOfViewFunction::<Runtime>::new(
            root(0),
            100,
        ));
        assert_eq!(operators.len(), 5);
        assert!(operators.iter().all(|operator| operator.active));
        let takes = pallet_operators::TakesPaymentViewFunction::<Runtime>::new(root(0));
        assert!(ask(takes));
        let quote = pallet_jobs::QuoteViewFunction::<Runtime>::new(root(0), 10, 8);
        assert_eq!(ask(quote), Some((10 + 8 * 4) * 7));
        let unknown = pallet_jobs::QuoteViewFunction::<Runtime>::new(root(9), 10, 8);
        assert_eq!(ask(unknown), None);

        // WHEN a job is submitted
        let job = submit(&person(8), 8, JobClass::Standard);
        // THEN its status can be asked for
        let status: Option<JobStatus<_>> = ask(pallet_jobs::JobViewFunction::<Runtime>::new(job));
        assert_eq!(status.map(|status| status.stage), Some(JobStage::Submitted));
        // AND so can the ledger's pot and the chain's source of randomness
        let pot = ask(pallet_rewards::PotViewFunction::<Runtime>::new());
        assert_eq!(pot, Rewards::pot_account());
        let insecure = crate::randomness::IsInsecureViewFunction::<Runtime>::new();
        assert!(ask(insecure));
    });
}
