//! What happens by itself: seeds that have come, deadlines, and what concerns all members of a run.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{functions::MachineOf, *};
use chasqui_primitives::{
    training::{audit_seed, round_seed, Draw, Drawn, Machine},
    traits::SeedExpired,
};
use frame_support::weights::WeightMeter;

impl<T: Config> Pallet<T> {
    /// The most that one step of a run costs, or one seed of it.
    pub(crate) fn most_step_weight() -> Weight {
        let (free, open) = (T::WeightInfo::free(), T::WeightInfo::open_case());
        let dearest = [
            // A case that cannot be opened may be the end of a challenge.
            open.saturating_add(T::Cases::most_passed_over())
                .saturating_add(free),
            T::WeightInfo::duty().saturating_add(free),
            T::WeightInfo::pay().saturating_add(free),
            T::WeightInfo::slash()
                .saturating_add(free)
                .saturating_add(free),
            T::WeightInfo::end(),
        ]
        .into_iter()
        .fold(Weight::zero(), |most, cost| most.max(cost));
        Self::step_weight()
            .max(T::WeightInfo::seed())
            .saturating_add(dearest)
    }

    /// The most that a step costs without what follows from it for others.
    fn step_weight() -> Weight {
        let large = T::WeightInfo::count_attestations().max(T::WeightInfo::hurry_stragglers());
        T::WeightInfo::step().max(large)
    }

    /// What a live run costs in a block, beside its seeds and steps: its record is read, and written where it changed.
    fn look_weight() -> Weight {
        T::WeightInfo::look().saturating_add(T::DbWeight::get().writes(1))
    }

    /// What looking at all live runs costs that there may be.
    fn most_look_weight() -> Weight {
        Self::look_weight()
            .saturating_mul(T::MaxRuns::get().into())
            .saturating_add(T::WeightInfo::serve_base())
    }

    /// # Panics
    /// When a limit makes no sense, or a block cannot serve a single step.
    pub(crate) fn check_limits() {
        assert!(T::MaxRuns::get() > 0, "runs need room");
        assert!(
            (1..=MAX_MEMBERS).contains(&T::MaxMembers::get()),
            "more members than the machine has room for"
        );
        assert!(T::MaxEvaluations::get() > 0, "evaluations need room");
        let most = Self::most_look_weight().saturating_add(Self::most_step_weight());
        assert!(
            most.all_lte(T::ServiceWeight::get()),
            "ServiceWeight does not suffice for a step: {most:?}"
        );
    }

    /// Serves the live runs; another one is the first in each block.
    pub(crate) fn serve() -> Weight {
        let live = Live::<T>::get().into_inner();
        let mut meter = WeightMeter::with_limit(T::ServiceWeight::get());
        let looks = Self::look_weight().saturating_mul(live.len() as u64);
        meter.consume(T::WeightInfo::serve_base().saturating_add(looks));
        let first = Self::now().checked_rem(live.len() as u32).unwrap_or(0);
        let in_turn = live.iter().cycle().skip(first as usize).take(live.len());
        let mut left = live.len() as u64;
        for id in in_turn {
            // An equal share of what is left, but as much as a step needs.
            let share = meter
                .remaining()
                .saturating_div(left)
                .max(Self::most_step_weight())
                .min(meter.remaining());
            let mut own = WeightMeter::with_limit(share);
            Self::serve_run(*id, &mut own);
            meter.consume(own.consumed());
            left = left.saturating_sub(1);
        }
        meter.consumed()
    }

    /// Gives a run the seeds that have come, and takes as many steps as the meter has room for.
    pub(crate) fn serve_run(id: RunId, meter: &mut WeightMeter) {
        let Ok((terms, before)) = Self::run_of(id) else {
            log::error!(target: LOG_TARGET, "live run {id} is not there");
            return;
        };
        let RunRecord { head, mut around } = before.clone();
        let most = Self::most_step_weight();
        let mut store = RunStore::of(id);
        let mut machine = Machine::new(Self::genesis(), id, &terms, head, &mut store);
        for awaited in [around.seed, around.panel].into_iter().flatten() {
            let drawn = match T::Randomness::seed(awaited.due) {
                Ok(Some(drawn)) => drawn,
                Ok(None) => continue,
                Err(SeedExpired) => {
                    Self::announce(&mut around, awaited.draw);
                    continue;
                }
            };
            if meter.can_consume(most) {
                Self::take_seed(id, &mut around, &mut machine, awaited.draw, drawn);
                let spent = Self::carry_out_in_hook(id, &terms, &mut around, &mut machine);
                meter.consume(T::WeightInfo::seed().saturating_add(spent));
            }
        }
        while meter.can_consume(most) && machine.service(Self::now(), 1) > 0 {
            let spent = Self::carry_out_in_hook(id, &terms, &mut around, &mut machine);
            meter.consume(Self::step_weight().saturating_add(spent));
        }
        let head = machine.run;
        let after = RunRecord { head, around };
        if after != before {
            Runs::<T>::insert(id, after);
        }
    }

    /// Tells a run's machine the seed that it asked for; one that it no longer waits for is forgotten.
    pub(crate) fn take_seed(
        id: RunId,
        around: &mut Surroundings<T::AccountId>,
        machine: &mut MachineOf<T>,
        draw: Draw,
        drawn: H256,
    ) {
        let Draw { round, of } = draw;
        let genesis = Self::genesis();
        let seed = match of {
            Drawn::Ranks => round_seed(&genesis, &drawn, &around.root, round),
            Drawn::Segments => audit_seed(&genesis, &drawn, &around.root, round),
            Drawn::Panel => drawn,
        };
        match of {
            Drawn::Ranks | Drawn::Segments => around.seed = None,
            Drawn::Panel => around.panel = None,
        }
        if machine.seed(draw, seed, Self::now()).is_err() {
            return;
        }
        match of {
            Drawn::Ranks => Self::deposit_event(Event::TrainingBegan {
                run: id,
                round,
                seed,
            }),
            Drawn::Segments => Self::deposit_event(Event::AuditBegan {
                run: id,
                round,
                seed,
            }),
            Drawn::Panel => {}
        }
    }

    fn carry_out_in_hook(
        id: RunId,
        terms: &RunTerms,
        around: &mut Surroundings<T::AccountId>,
        machine: &mut MachineOf<T>,
    ) -> Weight {
        Self::carry_out(id, terms, around, machine, &[]).unwrap_or_else(|error| {
            log::error!(target: LOG_TARGET, "run {id}: {error:?}");
            Weight::zero()
        })
    }
}
