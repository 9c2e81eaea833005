//! The clock: epochs, and the weights frozen in them.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::{collections::BTreeSet, vec::Vec};
use chasqui_primitives::draw;
use sp_runtime::traits::Saturating;

pub(crate) use chasqui_primitives::ANY_CHECKPOINT;

/// Most operators that a build visits in what is left of one block.
const MAX_IDLE_VISITS: u32 = 512;

/// Most indices of the past that one block removes.
pub(crate) const PRUNED_PER_BLOCK: u32 = 8;

impl<T: Config> Pallet<T> {
    /// Begins an epoch when one is due, then works on indices for a bounded number of operators.
    pub(crate) fn begin_block(now: BlockNumberFor<T>) -> Weight {
        let mut weight = T::DbWeight::get().reads(2);
        let epoch = CurrentEpoch::<T>::get();
        let length: BlockNumberFor<T> = Parameters::<T>::get().epoch_blocks.into();
        if now >= epoch.start.saturating_add(length) {
            Self::begin_epoch(epoch.index.saturating_add(1), now);
            weight.saturating_accrue(T::WeightInfo::begin_epoch());
        }
        weight.saturating_accrue(Self::build_indices(T::IndexStep::get()));
        weight.saturating_accrue(Self::prune_indices());
        weight
    }

    /// Goes on building with what is left of a block.
    pub(crate) fn use_idle(remaining: Weight) -> Weight {
        let entry = T::WeightInfo::build_indices(1);
        // The last visit may close an index, which costs another.
        let visits = remaining
            .checked_div_per_component(&entry)
            .unwrap_or(0)
            .saturating_sub(1);
        match u32::try_from(visits)
            .unwrap_or(u32::MAX)
            .min(MAX_IDLE_VISITS)
        {
            0 => Weight::zero(),
            visits => Self::build_indices(visits),
        }
    }

    pub(crate) fn begin_epoch(index: EpochIndex, start: BlockNumberFor<T>) {
        CurrentEpoch::<T>::put(Epoch { index, start });
        // A build that still runs goes on: starting over each time might never end.
        if !Build::<T>::exists() {
            Self::start_build(index);
        }
        Self::deposit_event(Event::EpochStarted { epoch: index });
    }

    fn start_build(epoch: EpochIndex) {
        Build::<T>::put(Self::empty_build(epoch, ANY_CHECKPOINT));
    }

    fn empty_build(epoch: EpochIndex, checkpoint: CheckpointRoot) -> IndexBuildOf<T> {
        IndexBuild {
            epoch,
            checkpoint,
            last: None,
            compute: BoundedVec::new(),
            validate: BoundedVec::new(),
            owners: BoundedVec::new(),
        }
    }

    /// Visits up to `limit` operators (closing an index counts as one) of the build under way, if any.
    pub(crate) fn build_indices(limit: u32) -> Weight {
        let Some(mut build) = Build::<T>::get() else {
            return T::DbWeight::get().reads(1);
        };
        let params = Parameters::<T>::get();
        let mut visited = 0u32;
        while visited < limit {
            let room = limit.saturating_sub(visited);
            let batch = Self::next_operators(&build, room);
            visited = visited.saturating_add(batch.len() as u32);
            for operator in &batch {
                Self::visit(&mut build, operator, &params);
            }
            if let Some(last) = batch.last() {
                build.last = Some(last.clone());
            }
            if (batch.len() as u32) < room {
                // Nobody is left of this checkpoint.
                visited = visited.saturating_add(1);
                let (epoch, checkpoint) = (build.epoch, build.checkpoint);
                Self::close_index(build);
                match Self::next_checkpoint(&checkpoint) {
                    Some(next) => build = Self::empty_build(epoch, next),
                    None => {
                        Self::finish_build(epoch);
                        return T::WeightInfo::build_indices(visited);
                    }
                }
            }
        }
        Build::<T>::put(build);
        T::WeightInfo::build_indices(visited)
    }

    /// Up to `count` operators after the last one visited.
    fn next_operators(build: &IndexBuildOf<T>, count: u32) -> Vec<T::AccountId> {
        let checkpoint = build.checkpoint;
        match (checkpoint == ANY_CHECKPOINT, &build.last) {
            (true, None) => Operators::<T>::iter_keys().take(count as usize).collect(),
            (true, Some(last)) => {
                let from = Operators::<T>::hashed_key_for(last);
                Operators::<T>::iter_from(from)
                    .map(|(operator, _)| operator)
                    .take(count as usize)
                    .collect()
            }
            (false, last) => Self::servers_after(checkpoint, last.as_ref(), count),
        }
    }

    /// Up to `count` of those who serve a checkpoint, after one of them.
    pub(crate) fn servers_after(
        checkpoint: CheckpointRoot,
        last: Option<&T::AccountId>,
        count: u32,
    ) -> Vec<T::AccountId> {
        match last {
            None => Servers::<T>::iter_key_prefix(checkpoint)
                .take(count as usize)
                .collect(),
            Some(last) => {
                let from = Servers::<T>::hashed_key_for(checkpoint, last);
                Servers::<T>::iter_key_prefix_from(checkpoint, from)
                    .take(count as usize)
                    .collect()
            }
        }
    }

    /// The checkpoint after `checkpoint` that somebody serves.
    fn next_checkpoint(checkpoint: &CheckpointRoot) -> Option<CheckpointRoot> {
        if *checkpoint == ANY_CHECKPOINT {
            return ServerCount::<T>::iter_keys().next();
        }
        let from = ServerCount::<T>::hashed_key_for(checkpoint);
        ServerCount::<T>::iter_keys_from(from).next()
    }

    fn visit(build: &mut IndexBuildOf<T>, operator: &T::AccountId, params: &Params) {
        let Some(record) = Operators::<T>::get(operator) else {
            return;
        };
        if !Self::is_active(operator, &record, params) {
            return;
        }
        let weight = params.weight(record.capacity, Self::bond(operator));
        if weight == 0 {
            return;
        }
        // The vectors hold as many as there can be operators, and each is visited once.
        if record.roles.validate {
            let _ = build.validate.try_push((operator.clone(), weight));
            let _ = build.owners.try_push(record.owner.clone());
        }
        if record.roles.compute && build.checkpoint != ANY_CHECKPOINT {
            let weight = draw::draw_weight(weight, params.reputation(record.reputation));
            let _ = build.compute.try_push((operator.clone(), weight));
        }
    }

    /// Writes what was gathered, and makes it the newest.
    fn close_index(build: IndexBuildOf<T>) {
        let IndexBuild {
            epoch,
            checkpoint,
            compute,
            validate,
            owners,
            ..
        } = build;
        let any = checkpoint == ANY_CHECKPOINT;
        if !any && !ServerCount::<T>::contains_key(checkpoint) {
            // The last server left while its index was built.
            return;
        }
        let owners = owners.into_iter().collect::<BTreeSet<_>>().len() as u32;
        Self::freeze(
            epoch,
            Role::Validate,
            checkpoint,
            validate.into_inner(),
            owners,
        );
        if !any {
            Self::freeze(epoch, Role::Compute, checkpoint, compute.into_inner(), 0);
        }
    }

    fn freeze(
        epoch: EpochIndex,
        role: Role,
        checkpoint: CheckpointRoot,
        weights: Vec<(T::AccountId, u64)>,
        owners: u32,
    ) {
        let index = BoundedVec::truncate_from(draw::cumulative_index(weights));
        let frozen = Frozen {
            epoch,
            weight: draw::total_weight(&index),
            operators: index.len() as u32,
            owners,
        };
        Indices::<T>::insert((epoch, role, checkpoint), index);
        LatestIndex::<T>::insert(role, checkpoint, frozen);
    }

    fn finish_build(epoch: EpochIndex) {
        BuiltEpoch::<T>::put(epoch);
        Self::deposit_event(Event::WeightsFrozen { epoch });
        let current = CurrentEpoch::<T>::get().index;
        if current > epoch {
            Self::start_build(current);
        } else {
            Build::<T>::kill();
        }
    }

    /// Removes indices that no case can refer to any more.
    pub(crate) fn prune_indices() -> Weight {
        let oldest = OldestIndex::<T>::get();
        let kept = Parameters::<T>::get().index_retention;
        let obsolete =
            BuiltEpoch::<T>::get().is_some_and(|built| oldest.saturating_add(kept) < built);
        if !obsolete {
            return T::DbWeight::get().reads(3);
        }
        let removed = Indices::<T>::clear_prefix((oldest,), PRUNED_PER_BLOCK, None);
        if removed.maybe_cursor.is_none() {
            OldestIndex::<T>::put(oldest.saturating_add(1));
        }
        T::WeightInfo::prune_indices(removed.loops.min(PRUNED_PER_BLOCK))
    }

    pub(crate) fn epoch_info() -> EpochInfo<BlockNumberFor<T>> {
        let epoch = CurrentEpoch::<T>::get();
        let length: BlockNumberFor<T> = Parameters::<T>::get().epoch_blocks.into();
        EpochInfo {
            index: epoch.index,
            start: epoch.start,
            next: epoch.start.saturating_add(length),
            frozen: BuiltEpoch::<T>::get(),
        }
    }
}
