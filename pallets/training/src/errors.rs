//! The pallet's section of why something is not possible.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod errors {
    #[pallet::error]
    pub enum Error<T> {
        /// No run has this number.
        NoSuchRun,
        /// The run's terms are out of their ranges: `RunTerms::validate` says which.
        InvalidTerms,
        /// More members than a run may have.
        TooManyMembers,
        /// Validators have not found the dataset usable.
        UnusableDataset,
        /// The terms do not name as many sequences as the dataset has.
        OtherSequences,
        /// The checkpoint to start from, the teacher, or the one to evaluate is not registered.
        UnknownCheckpoint,
        /// The dataset has tokens that the checkpoint does not know.
        SmallVocabulary,
        /// As many runs live as may: try again when one has ended.
        TooManyRuns,
        /// The signer is neither an operator nor an operator's hot key.
        NotAnOperator,
        /// The operator is not active, has not the role, or does not serve the run or checkpoint.
        NotServing,
        /// The run is not over.
        NotOver,
        /// No final round of the run made a checkpoint.
        NothingMade,
        /// The run's checkpoint is registered.
        AlreadyRegistered,
        /// More tokens than are held out, none, or an impossible loss.
        InvalidEvaluation,
        /// As many validators evaluated the checkpoint as may.
        TooManyEvaluations,
        /// The validator has not evaluated the checkpoint on this dataset.
        NoSuchEvaluation,
        /// A parameter is out of its range.
        InvalidParams,
        /// The run ends: nobody joins, and it cannot be called off any more.
        Ending,
        /// The run has as many members as it may.
        Full,
        /// The operator is a member.
        AlreadyMember,
        /// The operator was proven false in this run.
        Banned,
        /// The operator is no member of the run, or not of this round.
        NotMember,
        /// The member leaves already.
        Leaving,
        /// Another round runs, or none.
        OtherRound,
        /// Not in this phase, or too late.
        WrongPhase,
        /// The member has committed in this round.
        AlreadyCommitted,
        /// The member has not committed in this round.
        NotCommitted,
        /// The member has revealed in this round.
        AlreadyRevealed,
        /// The member has not revealed in this round.
        NotRevealed,
        /// Report and salt do not hash to the commitment.
        Mismatch,
        /// Another member revealed the same pseudo-gradient or kept states.
        Duplicate,
        /// Not the leaves, tokens or units of this recipe.
        ReportShape,
        /// Not as many ranks as members.
        RanksShape,
        /// The member has attested in this round.
        AlreadyAttested,
        /// The member has said what this round ends in.
        AlreadyAgreed,
        /// The member was proven false, and is out from the next round on.
        Convicted,
        /// No agreed round can be challenged, or not this one, or it is challenged already.
        NotChallengeable,
        /// The challenge says what was agreed on.
        SameModel,
        /// No such case is open.
        NoCase,
        /// That seed is not awaited.
        NotAwaited,
    }
}
