//! Checkpoints that runs of the network made, adapters, and who comes from whom.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    Ancestor, AncestorOf, CheckpointInfo, Config, Error, Event, Lineage, Lineages, Pallet,
    Registry, Status, MAX_NAME_BYTES,
};
use alloc::{format, vec::Vec};
use chasqui_primitives::{
    traits::{TrainedCheckpoint, TrainedCheckpoints},
    CheckpointRoot, RunId,
};
use frame_support::{ensure, BoundedVec};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
    /// Whether a checkpoint may have this parent and base: registered ones, and those that its lineage names, if it has
    /// any.
    pub(crate) fn ensure_family(root: &CheckpointRoot, info: &CheckpointInfo) -> DispatchResult {
        if let Some(lineage) = Lineages::<T>::get(root) {
            ensure!(
                (lineage.parent, lineage.base) == (info.parent, info.base),
                Error::<T>::OtherLineage
            );
        } else if let Some(parent) = info.parent {
            ensure!(
                parent != *root && Registry::<T>::contains_key(parent),
                Error::<T>::UnknownParent
            );
        }
        Self::ensure_base(info)
    }

    /// Whether the base is registered, holds all of its files, is the parent or what the parent adapts, and computes with
    /// the same vocabulary and precision. That its files can change is out of the question: its root names them.
    fn ensure_base(info: &CheckpointInfo) -> DispatchResult {
        let Some(root) = info.base else {
            return Ok(());
        };
        let base = Registry::<T>::get(root).filter(|base| base.status != Status::Retired);
        let fits = base.is_some_and(|base| {
            base.info.base.is_none()
                && base.info.vocabulary == info.vocabulary
                && base.info.profile == info.profile
        });
        let descends = info.parent.is_some_and(|parent| {
            parent == root
                || Registry::<T>::get(parent).is_some_and(|parent| parent.info.base == Some(root))
        });
        ensure!(fits && descends, Error::<T>::InvalidBase);
        Ok(())
    }

    /// By whoever registered it (once), or the admin (`None`).
    pub(crate) fn do_describe_trained(
        root: CheckpointRoot,
        by: Option<T::AccountId>,
        info: CheckpointInfo,
    ) -> DispatchResult {
        let mut lineage = Lineages::<T>::get(root).ok_or(Error::<T>::NotTrained)?;
        if let Some(by) = by {
            ensure!(lineage.by == by, Error::<T>::NotTheRegistrar);
            ensure!(!lineage.described, Error::<T>::DescribedBefore);
        }
        ensure!(
            !Registry::<T>::contains_key(root),
            Error::<T>::AlreadyRegistered
        );
        ensure!(info.is_valid(), Error::<T>::InvalidInfo);
        Self::ensure_family(&root, &info)?;
        let proposer = lineage.by.clone();
        lineage.described = true;
        Lineages::<T>::insert(root, lineage);
        Self::begin_calibration(root, proposer, 0, info);
        Ok(())
    }

    /// A checkpoint and its ancestors, as far as they are known.
    pub(crate) fn ancestry(root: CheckpointRoot, limit: u32) -> Vec<AncestorOf<T>> {
        let mut line: Vec<AncestorOf<T>> = Vec::new();
        let mut next = Some(root);
        while let Some(root) = next {
            let is_known_already = line.iter().any(|known| known.root == root);
            if line.len() as u32 >= limit || is_known_already {
                break;
            }
            let (checkpoint, lineage) = (Registry::<T>::get(root), Lineages::<T>::get(root));
            if checkpoint.is_none() && lineage.is_none() {
                break;
            }
            let parent = match (&lineage, &checkpoint) {
                (Some(lineage), _) => lineage.parent,
                (None, checkpoint) => checkpoint.as_ref().and_then(|it| it.info.parent),
            };
            line.push(Ancestor {
                root,
                parent,
                status: checkpoint.as_ref().map(|it| it.status),
                name: checkpoint.map(|it| it.info.name).unwrap_or_default(),
                lineage,
            });
            next = parent;
        }
        line
    }
}

/// The parent's name, as much of it as there is room for, with run and round.
fn name_of(
    parent: &[u8],
    run: RunId,
    round: u32,
) -> BoundedVec<u8, sp_core::ConstU32<MAX_NAME_BYTES>> {
    let suffix = format!("/r{run}.{round}");
    let room = (MAX_NAME_BYTES as usize).saturating_sub(suffix.len());
    let text = core::str::from_utf8(parent).unwrap_or_default();
    let kept = text
        .char_indices()
        .map(|(at, char)| at.saturating_add(char.len_utf8()))
        .take_while(|end| *end <= room)
        .last()
        .unwrap_or(0);
    let name = text.bytes().take(kept).chain(suffix.bytes());
    BoundedVec::truncate_from(name.collect())
}

impl<T: Config> TrainedCheckpoints<T::AccountId> for Pallet<T> {
    fn register_trained(trained: TrainedCheckpoint<T::AccountId>) -> DispatchResult {
        let TrainedCheckpoint {
            root,
            parent,
            base,
            run,
            round,
            dataset,
            by,
        } = trained;
        ensure!(
            !Lineages::<T>::contains_key(root),
            Error::<T>::AlreadyRegistered
        );
        ensure!(parent != Some(root), Error::<T>::UnknownParent);
        ensure!(base.is_none() || parent.is_some(), Error::<T>::InvalidBase);
        let parents = parent.and_then(Registry::<T>::get);
        let info = parents.map(|parents| CheckpointInfo {
            name: name_of(&parents.info.name, run, round),
            parent,
            base,
            ..parents.info
        });
        // Somebody may have proposed the root before: that proposal stays what it is. And what cannot be described as its
        // parent is, its registrar describes.
        let info = info.filter(|info| {
            !Registry::<T>::contains_key(root) && info.is_valid() && Self::ensure_base(info).is_ok()
        });
        let lineage = Lineage {
            parent,
            base,
            run,
            round,
            dataset,
            by: by.clone(),
            registered_at: Self::now(),
            described: info.is_some(),
        };
        Lineages::<T>::insert(root, lineage);
        Self::deposit_event(Event::Trained {
            root,
            parent,
            base,
            run,
            round,
            dataset,
            by: by.clone(),
        });
        if let Some(info) = info {
            Self::begin_calibration(root, by, 0, info);
        }
        Ok(())
    }
}
