//! The pallet's section of what happened.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod events {
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A session waits for its committee.
        Opened {
            session: SessionId,
            client: T::AccountId,
            key: T::AccountId,
            checkpoint: CheckpointRoot,
            deposit: Balance,
            due: RelayBlockNumber,
        },
        /// The client put more in.
        ToppedUp { session: SessionId, amount: Balance },
        /// Another committee will be drawn.
        RenewalAnnounced {
            session: SessionId,
            due: RelayBlockNumber,
        },
        /// These operators serve the session from now on; it may be nobody.
        CommitteeDrawn {
            session: SessionId,
            epoch: EpochIndex,
            committee: BoundedVec<T::AccountId, ConstU32<MAX_COMMITTEE>>,
        },
        /// An operator's slice is `slice` now.
        SliceChanged {
            session: SessionId,
            operator: T::AccountId,
            slice: Balance,
        },
        /// An operator's slice will be `to`, or what is settled by then, from block `until` on.
        ShrinkAnnounced {
            session: SessionId,
            operator: T::AccountId,
            to: Balance,
            until: BlockNumberFor<T>,
        },
        /// Money went from a deposit to an operator's takings.
        Settled {
            session: SessionId,
            operator: T::AccountId,
            takings: TakingsId,
            settlement: u32,
            sum: Balance,
            first: Seq,
            last: Seq,
        },
        /// One of several settlements was not possible.
        SettlementFailed {
            session: SessionId,
            operator: T::AccountId,
            error: DispatchError,
        },
        /// Nothing more is served on this channel.
        ChannelStopped {
            session: SessionId,
            operator: T::AccountId,
            reason: Stop,
        },
        /// The operator signed two answers to one request.
        FraudProven {
            session: SessionId,
            operator: T::AccountId,
            seq: Seq,
            slashed: Balance,
            forfeited: Balance,
        },
        /// A client says that an answer is false; decided by the seed of `due`.
        Reported {
            report: ReportId,
            session: SessionId,
            operator: T::AccountId,
            seq: Seq,
            due: RelayBlockNumber,
        },
        /// A case about a report is open.
        ReportInAudit { report: ReportId, case: CaseId },
        /// A report ended; `returned` of the answer's price went back to the client out of pending money.
        ReportClosed {
            report: ReportId,
            decision: Decision,
            returned: Balance,
        },
        /// A case about takings is open.
        TakingsInAudit { takings: TakingsId, case: CaseId },
        /// The operator showed an answer on chain: the plancks from `start` to before `end`.
        AnswerShown {
            takings: TakingsId,
            settlement: u32,
            seq: Seq,
            start: Balance,
            end: Balance,
        },
        /// Takings too small for a case of their own were not drawn for one: `paid` went to be shared out.
        TakingsUnaudited {
            takings: TakingsId,
            operator: T::AccountId,
            paid: Balance,
        },
        /// Takings were decided: `paid` went to be shared out, or is given back one by one.
        TakingsClosed {
            takings: TakingsId,
            operator: T::AccountId,
            decision: Decision,
            paid: Balance,
            refunded: Balance,
        },
        /// A settlement's money went back to its client.
        SettlementRefunded {
            takings: TakingsId,
            settlement: u32,
            client: T::AccountId,
            amount: Balance,
        },
        /// The session ends at block `until`; `finder` found it abandoned.
        Closing {
            session: SessionId,
            until: BlockNumberFor<T>,
            finder: Option<T::AccountId>,
        },
        /// The session is gone.
        Closed {
            session: SessionId,
            client: T::AccountId,
            spent: Balance,
            returned: Balance,
            forfeited: Balance,
            bounty: Balance,
        },
        /// Other parameters govern sessions from here on.
        ParamsSet { params: ParamsOf<T> },
    }
}
