//! The pallet's section of why something is not possible.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod errors {
    #[pallet::error]
    pub enum Error<T> {
        /// No accepted checkpoint has this name.
        UnknownCheckpoint,
        /// Too few independent validators serve the checkpoint for it to take payment.
        CheckpointTakesNoPayment,
        /// The deposit is below the least one.
        DepositTooLow,
        /// No live session has this name.
        UnknownSession,
        /// The operator was never drawn for this session.
        UnknownChannel,
        /// The account is not the session's client.
        NotClient,
        /// The operator is not in the session's committee.
        NotInCommittee,
        /// The session is closing.
        SessionClosing,
        /// The session was touched too recently to be abandoned.
        NotAbandoned,
        /// The committee was drawn in this epoch.
        DrawnThisEpoch,
        /// A draw is announced already.
        DrawPending,
        /// A sum exceeds a balance.
        Overflow,
        /// More than what no slice holds.
        NotFree,
        /// The channel is stopped.
        ChannelStopped,
        /// The slice is about to shrink.
        SliceShrinking,
        /// The slice is not larger than that.
        NotSmaller,
        /// No announced shrink is due.
        NoShrinkDue,
        /// The claim has no leaves, or more than there may be.
        LeafCountOutOfRange,
        /// The claim does not begin after the last settled request.
        NotNext,
        /// The request is not the claim's last, or not for this session's checkpoint.
        OtherRequest,
        /// The claim is zero.
        NothingClaimed,
        /// The claim exceeds the operator's slice.
        BeyondSlice,
        /// The claim exceeds the cap of the last signed request.
        BeyondCap,
        /// The claim is below the least settlement, and the channel is not about to end.
        SettlementTooSmall,
        /// The channel has as many settlements in this epoch as there may be.
        TooManySettlements,
        /// There is nothing in the list.
        NoEntries,
        /// The signature is not the session key's over this request.
        BadClientSignature,
        /// The signature is not the operator's.
        BadOperatorSignature,
        /// The two do not contradict each other.
        NoContradiction,
        /// The receipt does not answer this request.
        ReceiptMismatch,
        /// The output is longer than what can be opened on chain.
        OutputTooLong,
        /// This answer was reported before.
        AlreadyReported,
        /// As many answers of this channel were reported as may be.
        TooManyReports,
        /// The settlement does not hold this answer, or is decided; or a settled answer names none.
        SettlementMismatch,
        /// The answer cost nothing.
        NothingPaid,
        /// No case over these takings is open.
        NotInAudit,
        /// Nobody has said that these answers are withheld.
        OpeningNotDemanded,
        /// The takings are not the signer's.
        NotTakingsOperator,
        /// What is shown is not what was settled.
        NotWhatWasSettled,
        /// No drawn planck lies under this answer.
        NotDrawn,
        /// This answer was shown before.
        AlreadyShown,
        /// A parameter is out of range.
        InvalidParams,
    }
}
