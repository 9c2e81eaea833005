//! Showing answers on chain: what an operator does that is said to withhold them.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    session::sample::{covered, ShownAnswer, MOST_PLANCKS},
    trace::TRACE_LEAF_BYTES,
    traits::{Cases, Operators},
    Balance,
};
use core::ops::Range;
use frame_support::{pallet_prelude::*, weights::Weight};

impl<T: Config> Pallet<T> {
    /// What showing these answers costs: they are hashed, prompt and trace.
    pub(crate) fn show_weight(answers: &[ShownAnswer]) -> Weight {
        answers
            .iter()
            .fold(T::WeightInfo::check_opening(), |sum, answer| {
                let prompt = u32::try_from(answer.prompt.len()).unwrap_or(u32::MAX);
                let tokens = answer.trace.len().div_ceil(TRACE_LEAF_BYTES);
                let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
                sum.saturating_add(T::WeightInfo::show(prompt, tokens))
            })
    }

    pub(crate) fn do_show(
        signer: T::AccountId,
        id: TakingsId,
        answers: BoundedVec<ShownAnswer, ConstU32<MOST_PLANCKS>>,
    ) -> DispatchResult {
        let takings = AllTakings::<T>::get(id).ok_or(Error::<T>::NotInAudit)?;
        let plancks = Self::drawn_plancks(id).ok_or(Error::<T>::NotInAudit)?;
        // Free only for who has to: else blocks could be filled for nothing.
        let demanded = match takings.stage {
            TakingsStage::InAudit { case, .. } => T::Cases::opening_demanded(case),
            _ => false,
        };
        ensure!(demanded, Error::<T>::OpeningNotDemanded);
        ensure!(
            T::Operators::by_signer(&signer).as_ref() == Some(&takings.operator),
            Error::<T>::NotTakingsOperator
        );
        ensure!(!answers.is_empty(), Error::<T>::NoEntries);
        let genesis = Self::genesis_hash();
        let mut shown = Shown::<T>::get(id);
        for answer in answers {
            let (settlement, seq) = (answer.leaf.settlement, answer.leaf.seq);
            let place = Settlements::<T>::get(id, settlement)
                .map(|record| record.place(takings.operator.clone(), takings.checkpoint))
                .ok_or(Error::<T>::NotWhatWasSettled)?;
            let Range { start, end } = answer
                .plancks(&genesis, &place)
                .ok_or(Error::<T>::NotWhatWasSettled)?;
            ensure!(
                plancks.iter().any(|planck| (start..end).contains(planck)),
                Error::<T>::NotDrawn
            );
            // Leaves of one root never overlap.
            ensure!(
                shown.iter().all(|other| other.start != start),
                Error::<T>::AlreadyShown
            );
            let at = Self::now();
            // There is room: no more leaves than plancks lie under one.
            shown
                .try_push(ShownPlancks { start, end, at })
                .map_err(|_| Error::<T>::AlreadyShown)?;
            Self::deposit_event(Event::AnswerShown {
                takings: id,
                settlement,
                seq,
                start,
                end,
            });
        }
        Shown::<T>::insert(id, shown);
        Ok(())
    }

    /// Whether every answer that the case over takings is about stands on chain.
    pub(crate) fn all_is_shown(id: TakingsId) -> bool {
        let ranges: Vec<Range<Balance>> = Shown::<T>::get(id)
            .iter()
            .map(|shown| shown.start..shown.end)
            .collect();
        Self::drawn_plancks(id).is_some_and(|plancks| covered(&plancks, &ranges))
    }
}
