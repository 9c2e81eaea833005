//! What calls do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    training::{whole_sequences, Machine, Refusal, Run, Start, Trains},
    traits::TrainedCheckpoint,
    Role,
};
use frame_support::traits::fungible::hold::Mutate as _;
use sp_runtime::{
    traits::{UniqueSaturatedInto, Zero},
    DispatchError,
};

/// The machine of a run of the runtime.
pub(crate) type MachineOf<'a, T> = Machine<'a, <T as frame_system::Config>::AccountId, RunStore<T>>;

impl<T: Config> Pallet<T> {
    /// The hash of the first block: what binds commitments to this chain.
    pub(crate) fn genesis() -> H256 {
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
    }

    pub(crate) fn now() -> u32 {
        frame_system::Pallet::<T>::block_number().unique_saturated_into()
    }

    pub(crate) fn operator_of(origin: OriginFor<T>) -> Result<T::AccountId, DispatchError> {
        let signer = ensure_signed(origin)?;
        Ok(T::Operators::by_signer(&signer).ok_or(Error::<T>::NotAnOperator)?)
    }

    /// Whoever has left the registry still gets back what is its own.
    pub(crate) fn operator_or_signer(origin: OriginFor<T>) -> Result<T::AccountId, DispatchError> {
        let signer = ensure_signed(origin)?;
        Ok(T::Operators::by_signer(&signer).unwrap_or(signer))
    }

    pub(crate) fn run_of(id: RunId) -> Result<(RunTerms, RunRecordOf<T>), DispatchError> {
        let terms = Terms::<T>::get(id).ok_or(Error::<T>::NoSuchRun)?;
        let record = Runs::<T>::get(id).ok_or(Error::<T>::NoSuchRun)?;
        Ok((terms, record))
    }

    pub(crate) fn runs_from(from: RunId, limit: u32) -> RunList<T::AccountId> {
        let end = NextRun::<T>::get().min(from.saturating_add(limit));
        (from..end)
            .filter_map(|id| Self::run_of(id).ok().map(|(terms, run)| (id, terms, run)))
            .collect()
    }

    pub(crate) fn contributions_of(run: RunId, round: u32) -> ContributionList<T::AccountId> {
        let members = Rounds::<T>::get(run, round).map_or(0, |record| record.members);
        (0..members)
            .filter_map(|rank| Some((rank, Contributions::<T>::get((run, round, rank))?)))
            .collect()
    }

    pub(crate) fn tasks_of(who: &T::AccountId) -> Vec<MemberTask> {
        let task = |run: RunId| {
            let member = Members::<T>::get(run, who)?;
            let (terms, record) = Self::run_of(run).ok()?;
            let RunRecord { head, .. } = record;
            let (round, phase) = (head.round, head.phase);
            let mut store = RunStore::of(run);
            let machine: MachineOf<T> =
                Machine::new(Self::genesis(), run, &terms, head, &mut store);
            Some(MemberTask {
                run,
                round,
                phase,
                member,
                rank: machine.rank(who),
                owed: machine.owed(who, Self::now()),
            })
        };
        Live::<T>::get().into_iter().filter_map(task).collect()
    }

    /// Tells a run's machine something, and carries out what follows; `auditors` have a part in what is slashed.
    pub(crate) fn tell<R>(
        id: RunId,
        auditors: &[T::AccountId],
        event: impl FnOnce(&mut MachineOf<T>) -> Result<R, Refusal>,
    ) -> Result<R, DispatchError> {
        let (terms, RunRecord { head, mut around }) = Self::run_of(id)?;
        let mut store = RunStore::of(id);
        let mut machine = Machine::new(Self::genesis(), id, &terms, head, &mut store);
        let answer = event(&mut machine).map_err(Error::<T>::from)?;
        Self::carry_out(id, &terms, &mut around, &mut machine, auditors)?;
        let head = machine.run;
        Runs::<T>::insert(id, RunRecord { head, around });
        Ok(answer)
    }

    pub(crate) fn do_create_run(terms: RunTerms) -> DispatchResult {
        ensure!(terms.validate().is_ok(), Error::<T>::InvalidTerms);
        ensure!(
            terms.max_members <= T::MaxMembers::get(),
            Error::<T>::TooManyMembers
        );
        let dataset = T::Datasets::usable(&terms.dataset).ok_or(Error::<T>::UnusableDataset)?;
        let training = dataset.tokens.saturating_sub(dataset.held_out);
        ensure!(
            terms.sequences == whole_sequences(training, terms.recipe.sequence),
            Error::<T>::OtherSequences
        );
        Self::ensure_models(&terms, dataset.vocabulary)?;
        let budget = terms.budget().ok_or(Error::<T>::InvalidTerms)?;
        let id = NextRun::<T>::get();
        Live::<T>::try_append(id).map_err(|()| Error::<T>::TooManyRuns)?;
        T::Fund::reserve(id, budget)?;
        T::Datasets::begin_use(&terms.dataset, id)?;
        NextRun::<T>::put(id.saturating_add(1));
        let root = terms.root(&Self::genesis(), id);
        let now = Self::now();
        Roots::<T>::insert(root, id);
        Terms::<T>::insert(id, terms);
        let record = RunRecord {
            head: Run::new(now),
            around: Surroundings::new(root, now),
        };
        Runs::<T>::insert(id, record);
        Self::deposit_event(Event::Created {
            run: id,
            root,
            budget,
        });
        Ok(())
    }

    /// Whether the checkpoints that a run needs are registered, and know every token of its data, as far as is known.
    fn ensure_models(terms: &RunTerms, vocabulary: u32) -> DispatchResult {
        let start = match terms.start {
            Start::Checkpoint(root) => Some(root),
            Start::Fresh { .. } => None,
        };
        let teacher = match terms.recipe.trains {
            Trains::Distil { teacher, .. } => Some(teacher),
            Trains::Full | Trains::Adapter { .. } => None,
        };
        for root in start.into_iter().chain(teacher) {
            ensure!(T::Checkpoints::exists(&root), Error::<T>::UnknownCheckpoint);
            let suffices = T::Checkpoints::terms(&root)
                .is_none_or(|checkpoint| checkpoint.vocabulary >= vocabulary);
            ensure!(suffices, Error::<T>::SmallVocabulary);
        }
        Ok(())
    }

    /// Whether an operator serves a live run as a member must.
    fn ensure_serving(who: &T::AccountId, run: RunId) -> DispatchResult {
        let record = Runs::<T>::get(run).ok_or(Error::<T>::NoSuchRun)?;
        ensure!(
            T::Operators::serves(who, Role::Compute, &record.around.root),
            Error::<T>::NotServing
        );
        Ok(())
    }

    pub(crate) fn do_join(who: T::AccountId, run: RunId, class: ReplayClass) -> DispatchResult {
        Self::ensure_serving(&who, run)?;
        Self::tell(run, &[], |machine| machine.join(&who, class, Self::now()))?;
        Self::take_seat(run, &who)?;
        Self::deposit_event(Event::Joined { run, who });
        Ok(())
    }

    pub(crate) fn do_heartbeat(who: T::AccountId, run: RunId) -> DispatchResult {
        Self::tell(run, &[], |machine| machine.heartbeat(&who))?;
        Self::deposit_event(Event::Ready { run, who });
        Ok(())
    }

    pub(crate) fn do_commit(
        who: T::AccountId,
        run: RunId,
        round: u32,
        commitment: H256,
    ) -> DispatchResult {
        // Whose bond does not suffice any more, or who is jailed, begins nothing new.
        Self::ensure_serving(&who, run)?;
        let rank = Self::tell(run, &[], |machine| {
            machine.commit(&who, round, commitment, Self::now())
        })?;
        Self::deposit_event(Event::Committed {
            run,
            round,
            rank,
            who,
        });
        Ok(())
    }

    pub(crate) fn do_reveal(
        who: T::AccountId,
        run: RunId,
        round: u32,
        report: RoundReport,
        salt: [u8; 32],
    ) -> DispatchResult {
        let rank = Self::tell(run, &[], |machine| {
            machine.reveal(&who, round, &report, &salt, Self::now())
        })?;
        Self::deposit_event(Event::Revealed {
            run,
            round,
            rank,
            who,
            report,
        });
        Ok(())
    }

    pub(crate) fn do_attest(
        who: T::AccountId,
        run: RunId,
        round: u32,
        ranks: Ranks,
    ) -> DispatchResult {
        let rank = Self::tell(run, &[], |machine| {
            machine.attest(&who, round, ranks, Self::now())
        })?;
        Self::deposit_event(Event::Attested {
            run,
            round,
            rank,
            who,
        });
        Ok(())
    }

    pub(crate) fn do_agree(
        who: T::AccountId,
        run: RunId,
        round: u32,
        model: ModelState,
    ) -> DispatchResult {
        let rank = Self::tell(run, &[], |machine| {
            machine.agree(&who, round, &model, Self::now())
        })?;
        Self::deposit_event(Event::Agreed {
            run,
            round,
            rank,
            who,
            model,
        });
        Ok(())
    }

    pub(crate) fn do_challenge(
        who: T::AccountId,
        run: RunId,
        round: u32,
        model: ModelState,
    ) -> DispatchResult {
        Self::tell(run, &[], |machine| {
            machine.challenge(&who, round, &model, Self::now())
        })?;
        let deposit = Parameters::<T>::get().challenge_deposit;
        T::NativeBalance::hold(&HoldReason::Challenge.into(), &who, deposit)?;
        let by = who.clone();
        Runs::<T>::mutate_extant(run, |record| {
            record.around.challenge = Some(Challenge { by, deposit });
        });
        Self::deposit_event(Event::Challenged {
            run,
            round,
            who,
            model,
            deposit,
        });
        Ok(())
    }

    pub(crate) fn do_register(by: T::AccountId, run: RunId) -> DispatchResult {
        let (terms, mut record) = Self::run_of(run)?;
        ensure!(record.head.phase.is_over(), Error::<T>::NotOver);
        let made = record.around.made.ok_or(Error::<T>::NothingMade)?;
        ensure!(!record.around.registered, Error::<T>::AlreadyRegistered);
        let parent = terms.start.parent();
        let adapts = matches!(terms.recipe.trains, Trains::Adapter { .. });
        T::Checkpoints::register_trained(TrainedCheckpoint {
            root: made.root,
            parent,
            base: parent.filter(|_| adapts),
            run,
            round: made.round,
            dataset: terms.dataset,
            by: by.clone(),
        })?;
        record.around.registered = true;
        Runs::<T>::insert(run, record);
        Self::deposit_event(Event::Registered {
            run,
            round: made.round,
            root: made.root,
            by,
        });
        Ok(())
    }
}
