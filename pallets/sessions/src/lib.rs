//! # Sessions
//!
//! One deposit, many requests off chain: a client opens a session, the chain draws a committee, and
//! client and operators then sign to each other directly. The chain sees a few hundred bytes when an
//! operator settles, whatever the number of requests.
//!
//! ## Terminology
//!
//! - **Channel**: a pair of session and operator. Its **slice** of the deposit is the most that the
//!   operator may ever be paid there.
//! - **Committee**: the operators that were drawn for the session, in order: the primary and its
//!   backups. The client may have it drawn anew once another epoch runs.
//! - **Settlement**: the claim of an operator to the prices of a run of answers, under one Merkle-sum
//!   root, with the last request that the client signed.
//! - **Takings**: all that an operator settled for one checkpoint in one epoch. The money waits in
//!   this pallet's pot until the case over it closes.
//! - **Close window**: the blocks between an announcement and its effect, in which everything served
//!   under the old state can be settled.
//!
//! ## The rules
//!
//! They are [`chasqui_primitives::session::rules`], where the invariants I1 to I7 have their names; this
//! pallet adds money, signatures and time.
//!
//! ```text
//! open ──draw──> committee ──requests, receipts──> settle ──> takings ──epoch ends, draw──> case
//!   │               │  ^                             │                                       │
//!   top_up          │  └── renew (an epoch later)    └── report: a case about one answer     │
//!   grow, shrink    └── close, expire ──window──> rest of the deposit returns                │
//!                                                        Valid: fee split with the auditors ─┤
//!                                                        else: back to the clients ──────────┘
//! ```
//!
//! - **Slices.** A draw gives half of what is free of the deposit to the primary and the rest in
//!   equal parts to the backups. The client moves them: a slice grows at once, and shrinks a close
//!   window after it was announced, or at once with the operator's signature. Who is not drawn again
//!   keeps its slice for a close window.
//! - **Settling.** Anybody may submit, the money goes to the operator's takings. The operator signs
//!   the claim, unless it submits it: it answers for everything under the root.
//! - **The case over takings** opens when their epoch has ended: plancks are drawn uniformly out of
//!   the whole, 16 at full reputation and 64 at none, and auditors look at the answers under them.
//!   `Valid` shares the fee out as that of an audited job; anything else gives every settlement back
//!   to its client, a bounded number a block, and `Hard` slashes and forfeits as for a job.
//! - **Dust.** A settlement is at least [`Params::min_settlement`], unless its channel is about to end.
//!   Takings below [`Params::audit_from`] get a case with the probability of their share of it, and are
//!   else paid like an unaudited job: cases cost no more than what they are about.
//! - **Nobody judges its own session.** Takings have many clients, so the pallet keeps an index of them
//!   by takings, and whoever is to judge is looked up in it, with its owner: a few reads a judge,
//!   however many clients there are.
//! - **Showing.** An operator that is said to withhold puts every answer under a drawn planck on chain
//!   ([`Call::show`]), prompt and trace included. Nothing of it stays in storage but which plancks were
//!   shown, and in which block: auditors read that block. Only when all are shown does the opening
//!   that the audits pallet demanded count; hiding prompts is hiding.
//! - **A report** is a client's claim that one answer is false, with the receipt as evidence and a
//!   deposit: a case of its own. It comes before the takings that hold the answer are decided: after
//!   that nobody need keep it. Wrong, the deposit is shared out like a fee; right, the client has
//!   its price back and its part of the slash; undecided, only its deposit.
//! - **Fraud proofs** need no auditors. Two receipts for one request slash the operator and end its
//!   channel. Two requests for one place are the client's: the channel ends, what was served can be
//!   settled for a close window, by either request.
//!
//! ## How a session ends
//!
//! `close` announces it; after the close window the rest of the deposit returns. A session **spends
//! at least a fifth of its deposit, or forfeits to the reserve what is short of it**: protocol S,
//! "a session forfeits unspent deposit below 20%", is read as a floor under what a session spends. It
//! exists so that nobody opens sessions to choose among committees; a client that spent a fifth or
//! more has nothing to forfeit, because else an honest one would lose more than what is in flight.
//! Settled money counts as spent, whatever its case decides. Nothing is forfeited when no committee
//! was ever drawn, or when an operator of the session was proven false.
//!
//! A session that nobody touches for [`Params::expiry_blocks`] may be closed by anybody, for a bounty
//! out of what it returns.
//!
//! ## Queues
//!
//! Ends of sessions wait in an agenda by block, draws in one queue in the order announced, takings in
//! the order of their epochs, and decided takings in a queue of their own. All are served in
//! `on_initialize` with at most [`Config::ServiceWeight`] a block; what does not fit is served in the
//! next block, nothing is dropped. A window binds from its block on, served or not.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod ending;
mod errors;
mod events;
mod functions;
mod impls;
mod proofs;
mod service;
mod settling;
mod showing;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use frame_support::pallet_macros::import_section;

/// Target of this pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::sessions";

#[import_section(events::events)]
#[import_section(errors::errors)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use chasqui_primitives::{
        audit::Decision,
        session::{
            rules::Stop,
            sample::{ShownAnswer, MOST_PLANCKS},
            Seq, SessionId, SignedReceipt, SignedRequest,
        },
        traits::{Cases, Checkpoints, Epochs, Ledger, Operators, Randomness},
        Balance, CaseId, CheckpointRoot, EpochIndex, RelayBlockNumber,
    };
    use frame_support::{
        pallet_prelude::*,
        traits::fungible::{hold, Inspect, Mutate},
        weights::WeightMeter,
        PalletId,
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::{AccountId32, MultiSignature};

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// Accounts are public keys (or hashes of them), because signatures are checked against them.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, Hash = H256, RuntimeEvent: From<Event<Self>>>
    {
        /// The runtime's hold reasons.
        type RuntimeHoldReason: From<HoldReason>;

        /// DOT.
        type NativeBalance: Inspect<Self::AccountId, Balance = Balance>
            + Mutate<Self::AccountId>
            + hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;

        /// The registry of operators.
        type Operators: Operators<Self::AccountId>;

        /// The registry of checkpoints.
        type Checkpoints: Checkpoints;

        /// Where settled fees go once they are found valid.
        type Ledger: Ledger<Self::AccountId>;

        /// Where false answers are judged.
        type Cases: Cases<Self::AccountId>;

        /// Seeds of draws.
        type Randomness: Randomness;

        /// The clock of committees and takings.
        type Epochs: Epochs;

        /// The account of the reserve: gets what sessions forfeit.
        type Reserve: Get<Self::AccountId>;

        /// Who sets the parameters.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Names the pot that holds pending money.
        #[pallet::constant]
        type PalletId: Get<PalletId>;

        /// Most weight that `on_initialize` spends. A quarter of it is for each of the queues, and
        /// what they leave for the next.
        #[pallet::constant]
        type ServiceWeight: Get<Weight>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;

        /// What benchmarks need of other pallets.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// Why money is on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The deposits of this client's sessions, less what was settled.
        #[codec(index = 0)]
        Session,
        /// For the bytes of this client's sessions.
        #[codec(index = 1)]
        Storage,
        /// The deposits of this client's open reports.
        #[codec(index = 2)]
        Report,
    }

    /// What governs sessions.
    #[pallet::storage]
    pub type Parameters<T: Config> = StorageValue<_, ParamsOf<T>, ValueQuery>;

    /// How many sessions were ever opened.
    #[pallet::storage]
    pub type NextSession<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Live sessions.
    #[pallet::storage]
    pub type Sessions<T: Config> = StorageMap<_, Blake2_128Concat, SessionId, SessionOf<T>>;

    /// The live sessions of a client.
    #[pallet::storage]
    pub type ClientSessions<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        SessionId,
        (),
        OptionQuery,
    >;

    /// The channels of live sessions.
    #[pallet::storage]
    pub type Channels<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        SessionId,
        Blake2_128Concat,
        T::AccountId,
        ChannelOf<T>,
    >;

    /// The live sessions that an operator has a channel with: what it must know after a restart.
    #[pallet::storage]
    pub type Engagements<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        SessionId,
        (),
        OptionQuery,
    >;

    /// The number of the next takings.
    #[pallet::storage]
    pub type NextTakings<T: Config> = StorageValue<_, TakingsId, ValueQuery>;

    /// Takings whose money or settlements are still here.
    #[pallet::storage]
    pub type AllTakings<T: Config> = StorageMap<_, Twox64Concat, TakingsId, TakingsOf<T>>;

    /// The newest takings of an operator for a checkpoint.
    #[pallet::storage]
    pub type NewestTakings<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Blake2_128Concat,
        CheckpointRoot,
        TakingsId,
        OptionQuery,
    >;

    /// The takings of an operator that are not decided: what it must be able to open.
    #[pallet::storage]
    pub type OperatorTakings<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        TakingsId,
        (),
        OptionQuery,
    >;

    /// Who stands behind the sessions of takings, as client, or as operator or owner behind a client:
    /// none of them judges.
    #[pallet::storage]
    pub type TakingsClients<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        TakingsId,
        Blake2_128Concat,
        T::AccountId,
        (),
        OptionQuery,
    >;

    /// Which plancks of takings in audit were shown on chain, and in which block.
    #[pallet::storage]
    pub type Shown<T: Config> = StorageMap<_, Twox64Concat, TakingsId, ShownOf<T>, ValueQuery>;

    /// The settlements of takings, in the order submitted.
    #[pallet::storage]
    pub type Settlements<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TakingsId, Twox64Concat, u32, SettlementOf<T>>;

    /// The first takings whose epoch may still run.
    #[pallet::storage]
    pub type TakingsCursor<T: Config> = StorageValue<_, TakingsId, ValueQuery>;

    /// Decided takings that wait to be cleared away, by place in the queue.
    #[pallet::storage]
    pub type Decided<T: Config> = StorageMap<_, Twox64Concat, Ticket, TakingsId>;

    /// The oldest place in that queue.
    #[pallet::storage]
    pub type DecidedHead<T: Config> = StorageValue<_, Ticket, ValueQuery>;

    /// The next free place in that queue.
    #[pallet::storage]
    pub type DecidedTail<T: Config> = StorageValue<_, Ticket, ValueQuery>;

    /// The number of the next report.
    #[pallet::storage]
    pub type NextReport<T: Config> = StorageValue<_, ReportId, ValueQuery>;

    /// Open reports.
    #[pallet::storage]
    pub type Reports<T: Config> = StorageMap<_, Twox64Concat, ReportId, ReportOf<T>>;

    /// The open reports of an operator's answers.
    #[pallet::storage]
    pub type OperatorReports<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        ReportId,
        (),
        OptionQuery,
    >;

    /// Draws that wait for their seed, by place in the queue. A closed session leaves a gap.
    #[pallet::storage]
    pub type Draws<T: Config> = StorageMap<_, Twox64Concat, Ticket, PendingDraw>;

    /// The oldest place in the queue that may still hold a draw.
    #[pallet::storage]
    pub type DrawHead<T: Config> = StorageValue<_, Ticket, ValueQuery>;

    /// The next free place in the queue.
    #[pallet::storage]
    pub type DrawTail<T: Config> = StorageValue<_, Ticket, ValueQuery>;

    /// Sessions whose close window ends at a block.
    #[pallet::storage]
    pub type Agenda<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        BlockNumberFor<T>,
        Twox64Concat,
        SessionId,
        (),
        OptionQuery,
    >;

    /// The oldest block whose agenda may still hold sessions.
    #[pallet::storage]
    pub type AgendaCursor<T: Config> = StorageValue<_, BlockNumberFor<T>>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// What governs sessions.
        pub params: ParamsOf<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.validate(),
                "the parameters of sessions are out of range"
            );
            Parameters::<T>::put(&self.params);
            let deposit = T::NativeBalance::minimum_balance();
            let pot = Pallet::<T>::pot();
            if T::NativeBalance::balance(&pot) < deposit {
                T::NativeBalance::mint_into(&pot, deposit)
                    .expect("an existential deposit can always be minted at genesis");
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            let mut meter = WeightMeter::with_limit(T::ServiceWeight::get());
            Self::service(now, &mut meter);
            meter.consumed()
        }

        fn integrity_test() {
            Self::check_service_weight();
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Opens a session with `checkpoint` and puts `deposit` on hold. Requests are signed by `key`, or
        /// by the client itself; a committee is drawn by a seed that does not exist yet.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::open())]
        pub fn open(
            origin: OriginFor<T>,
            checkpoint: CheckpointRoot,
            deposit: Balance,
            key: Option<T::AccountId>,
        ) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_open(client, checkpoint, deposit, key)
        }

        /// Puts more into a session.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::top_up())]
        pub fn top_up(origin: OriginFor<T>, session: SessionId, amount: Balance) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_top_up(client, session, amount)
        }

        /// Has the committee drawn anew, once another epoch runs. Anybody may ask for it.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::renew())]
        pub fn renew(origin: OriginFor<T>, session: SessionId) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_renew(client, session)
        }

        /// Gives an operator of the committee `amount` more, at once, out of what no slice holds.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::grow())]
        pub fn grow(
            origin: OriginFor<T>,
            session: SessionId,
            operator: T::AccountId,
            amount: Balance,
        ) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_grow(client, session, operator, amount)
        }

        /// Announces that an operator's slice will be `to` when the close window is over. A slice as
        /// large as it is calls an announcement off.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::shrink())]
        pub fn shrink(
            origin: OriginFor<T>,
            session: SessionId,
            operator: T::AccountId,
            to: Balance,
        ) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_shrink(client, session, operator, to)
        }

        /// Shrinks an operator's slice at once, with its signature over a
        /// [`ShrinkConsent`](chasqui_primitives::session::ShrinkConsent), or by itself.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::shrink_now())]
        pub fn shrink_now(
            origin: OriginFor<T>,
            session: SessionId,
            operator: T::AccountId,
            to: Balance,
            signature: Option<MultiSignature>,
        ) -> DispatchResult {
            let signer = ensure_signed(origin)?;
            Self::do_shrink_now(signer, session, operator, to, signature)
        }

        /// Takes an announced shrink into effect whose window is over. Anybody may ask for it.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::apply_shrink())]
        pub fn apply_shrink(
            origin: OriginFor<T>,
            session: SessionId,
            operator: T::AccountId,
        ) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_apply_shrink(session, operator)
        }

        /// Settles runs of answers, each of a channel of its own or after one another. What is not
        /// possible is left out; fails when nothing is.
        #[pallet::call_index(7)]
        #[pallet::weight((T::WeightInfo::settle(entries.len() as u32), DispatchClass::Operational))]
        pub fn settle(origin: OriginFor<T>, entries: EntriesOf<T>) -> DispatchResult {
            let signer = ensure_signed(origin)?;
            Self::do_settle(signer, entries)
        }

        /// Proves that an operator signed two answers to one request. Free when it succeeds.
        #[pallet::call_index(8)]
        #[pallet::weight((T::WeightInfo::prove_fraud(), DispatchClass::Operational))]
        pub fn prove_fraud(
            origin: OriginFor<T>,
            first: SignedReceipt<T::AccountId>,
            second: SignedReceipt<T::AccountId>,
        ) -> DispatchResultWithPostInfo {
            let reporter = ensure_signed(origin)?;
            Self::do_prove_fraud(reporter, first, second)?;
            Ok(Pays::No.into())
        }

        /// Proves that a client signed two requests for one place. Free when it succeeds.
        #[pallet::call_index(9)]
        #[pallet::weight((T::WeightInfo::prove_equivocation(), DispatchClass::Operational))]
        pub fn prove_equivocation(
            origin: OriginFor<T>,
            first: SignedRequest<T::AccountId>,
            second: SignedRequest<T::AccountId>,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Self::do_prove_equivocation(first, second)?;
            Ok(Pays::No.into())
        }

        /// The client says that an answer is false. `settlement` names the one that it was claimed in,
        /// if it was: out of that its price comes back.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::report())]
        pub fn report(
            origin: OriginFor<T>,
            request: SignedRequest<T::AccountId>,
            receipt: SignedReceipt<T::AccountId>,
            settlement: Option<(TakingsId, u32)>,
        ) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_report(client, request, receipt, settlement)
        }

        /// Ends a session: what was served can be settled for a close window, then the rest returns.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::close(MAX_CHANNELS))]
        pub fn close(origin: OriginFor<T>, session: SessionId) -> DispatchResultWithPostInfo {
            let client = ensure_signed(origin)?;
            let channels = Self::do_close(client, session)?;
            Ok(Some(T::WeightInfo::close(channels)).into())
        }

        /// Ends a session that nobody has touched for long, for a bounty.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::close(MAX_CHANNELS))]
        pub fn expire(origin: OriginFor<T>, session: SessionId) -> DispatchResultWithPostInfo {
            let finder = ensure_signed(origin)?;
            let channels = Self::do_expire(finder, session)?;
            Ok(Some(T::WeightInfo::close(channels)).into())
        }

        /// Replaces the parameters. Announced windows stay as they are.
        #[pallet::call_index(13)]
        #[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
        pub fn set_params(origin: OriginFor<T>, params: ParamsOf<T>) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(params.validate(), Error::<T>::InvalidParams);
            Parameters::<T>::put(&params);
            Self::deposit_event(Event::ParamsSet { params });
            Ok(())
        }

        /// Shows answers under the drawn plancks of takings in audit, with everything that it takes to
        /// judge them. For the operator, while the case demands its opening. Free when it succeeds.
        #[pallet::call_index(14)]
        #[pallet::weight((Pallet::<T>::show_weight(answers), DispatchClass::Operational))]
        pub fn show(
            origin: OriginFor<T>,
            takings: TakingsId,
            answers: BoundedVec<ShownAnswer, ConstU32<MOST_PLANCKS>>,
        ) -> DispatchResultWithPostInfo {
            let signer = ensure_signed(origin)?;
            Self::do_show(signer, takings, answers)?;
            Ok(Pays::No.into())
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// A live session.
        pub fn session(session: SessionId) -> Option<SessionOf<T>> {
            Sessions::<T>::get(session)
        }

        /// The channels of a live session.
        pub fn channels(session: SessionId) -> Vec<(T::AccountId, ChannelOf<T>)> {
            Channels::<T>::iter_prefix(session).collect()
        }

        /// Up to `limit` (and 256) live sessions of a client, in no particular order.
        pub fn sessions_of(client: T::AccountId, limit: u32) -> Vec<SessionId> {
            ClientSessions::<T>::iter_key_prefix(client)
                .take(limit.min(256) as usize)
                .collect()
        }

        /// The plancks that an open case over takings looks at, ascending.
        pub fn plancks(takings: TakingsId) -> Vec<Balance> {
            Self::drawn_plancks(takings).unwrap_or_default()
        }

        /// What governs sessions.
        pub fn params() -> ParamsOf<T> {
            Parameters::<T>::get()
        }
    }
}
