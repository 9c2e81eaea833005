//! The pallet's section of what happened.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod events {
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A run gathers members. Its budget is earmarked in the fund.
        Created {
            run: RunId,
            root: H256,
            budget: Balance,
        },
        /// An operator joined; it takes part once it is ready, from a round's beginning on.
        Joined { run: RunId, who: T::AccountId },
        /// It says that it has base and data.
        Ready { run: RunId, who: T::AccountId },
        /// It takes part from the next round on.
        Activated { run: RunId, who: T::AccountId },
        /// It is no longer a member.
        Dropped {
            run: RunId,
            who: T::AccountId,
            exit: Exit,
        },
        /// Members and data of a round are fixed; its seed is drawn.
        RoundBegan {
            run: RunId,
            round: u32,
            members: u32,
            first_sequence: u64,
        },
        /// Ranks and kept steps of a round follow from this seed: members train.
        TrainingBegan { run: RunId, round: u32, seed: H256 },
        Committed {
            run: RunId,
            round: u32,
            rank: u32,
            who: T::AccountId,
        },
        Revealed {
            run: RunId,
            round: u32,
            rank: u32,
            who: T::AccountId,
            report: RoundReport,
        },
        Attested {
            run: RunId,
            round: u32,
            rank: u32,
            who: T::AccountId,
        },
        /// The segments that are replayed follow from this seed.
        AuditBegan { run: RunId, round: u32, seed: H256 },
        /// A case about a member's round is open.
        InAudit {
            run: RunId,
            round: u32,
            rank: u32,
            who: T::AccountId,
            case: CaseId,
        },
        /// How a case about a member's round ended.
        Judged {
            run: RunId,
            round: u32,
            rank: u32,
            who: T::AccountId,
            decision: Decision,
        },
        /// A member says what the round ends in.
        Agreed {
            run: RunId,
            round: u32,
            rank: u32,
            who: T::AccountId,
            model: ModelState,
        },
        /// More than half of a round's members say this; it may be challenged.
        RoundAgreed {
            run: RunId,
            round: u32,
            model: ModelState,
        },
        /// Somebody says that it gives something else.
        Challenged {
            run: RunId,
            round: u32,
            who: T::AccountId,
            model: ModelState,
            deposit: Balance,
        },
        /// A case about a challenge is open.
        ChallengeInAudit {
            run: RunId,
            round: u32,
            case: CaseId,
        },
        /// A challenge is decided: the deposit went back, or to the reserve.
        ChallengeClosed {
            run: RunId,
            who: T::AccountId,
            back: bool,
        },
        /// A round came to nothing. The model stays, its data are consumed.
        RoundVoid { run: RunId, round: u32 },
        /// A round is final, and paid.
        RoundFinal {
            run: RunId,
            round: u32,
            model: ModelState,
        },
        /// A round that was agreed on is undone: the model is what it was before.
        RoundUndone { run: RunId, round: u32 },
        /// A member was paid for a final round.
        Paid {
            run: RunId,
            round: u32,
            who: T::AccountId,
            amount: Balance,
            units: u64,
        },
        /// A member could not be paid: its part returns to the fund with the run's end.
        NotPaid {
            run: RunId,
            round: u32,
            who: T::AccountId,
            amount: Balance,
        },
        /// A member was proven false.
        Slashed {
            run: RunId,
            round: u32,
            who: T::AccountId,
            amount: Balance,
        },
        /// A run was called off.
        Cancelled { run: RunId },
        /// A run is over. So much of its budget returned to the fund.
        Ended {
            run: RunId,
            failed: Option<Failure>,
            returned: Balance,
        },
        /// The checkpoint that a run made is registered.
        Registered {
            run: RunId,
            round: u32,
            root: CheckpointRoot,
            by: T::AccountId,
        },
        /// A validator says what a checkpoint loses on held-out tokens.
        Evaluated {
            root: CheckpointRoot,
            dataset: H256,
            by: T::AccountId,
            result: EvaluationResult,
        },
        /// A validator took that back.
        EvaluationWithdrawn {
            root: CheckpointRoot,
            dataset: H256,
            by: T::AccountId,
        },
        /// The parameters changed.
        ParamsSet { params: Params },
    }
}
