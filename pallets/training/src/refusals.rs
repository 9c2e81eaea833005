//! The machine's refusals as errors of the pallet.

use crate::{Config, Error};
use chasqui_primitives::training::Refusal;

impl<T: Config> From<Refusal> for Error<T> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ending => Self::Ending,
            Refusal::Full => Self::Full,
            Refusal::AlreadyMember => Self::AlreadyMember,
            Refusal::Banned => Self::Banned,
            Refusal::NotMember => Self::NotMember,
            Refusal::Leaving => Self::Leaving,
            Refusal::OtherRound => Self::OtherRound,
            Refusal::WrongPhase => Self::WrongPhase,
            Refusal::AlreadyCommitted => Self::AlreadyCommitted,
            Refusal::NotCommitted => Self::NotCommitted,
            Refusal::AlreadyRevealed => Self::AlreadyRevealed,
            Refusal::NotRevealed => Self::NotRevealed,
            Refusal::Mismatch => Self::Mismatch,
            Refusal::Duplicate => Self::Duplicate,
            Refusal::ReportShape => Self::ReportShape,
            Refusal::RanksShape => Self::RanksShape,
            Refusal::AlreadyAttested => Self::AlreadyAttested,
            Refusal::AlreadyAgreed => Self::AlreadyAgreed,
            Refusal::Convicted => Self::Convicted,
            Refusal::NotChallengeable => Self::NotChallengeable,
            Refusal::SameModel => Self::SameModel,
            Refusal::NoCase => Self::NoCase,
            Refusal::NotAwaited => Self::NotAwaited,
        }
    }
}
