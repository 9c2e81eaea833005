//! What is stored.

use crate::*;
use chasqui_primitives::governance::{Count, Electorate, Span};
use core::marker::PhantomData;
use frame_support::{
    traits::{Contains, VoteTally},
    CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound,
};
use parity_scale_codec::DecodeWithMemTracking;
use sp_runtime::{traits::SaturatedConversion, Perbill};

/// Votes of a poll, and what they are measured by.
#[derive(
    CloneNoBound,
    PartialEqNoBound,
    EqNoBound,
    DebugNoBound,
    TypeInfo,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Tally<T: Config> {
    /// What it is measured by, fixed at submission.
    pub electorate: Electorate,
    /// The block of its submission.
    pub submitted: u32,
    /// What was cast.
    pub count: Count,
    #[codec(skip)]
    _config: PhantomData<T>,
}

impl<T: Config> Tally<T> {
    pub(crate) fn with(electorate: Electorate, submitted: u32, count: Count) -> Self {
        Self {
            electorate,
            submitted,
            count,
            _config: PhantomData,
        }
    }

    /// Whether a poll of this class lacks the bond that it needs.
    fn lacks_bond(&self, class: &ClassOf<T>) -> bool {
        T::BondClasses::contains(class) && !self.count.has_bond(&self.electorate)
    }
}

impl<T: Config> VoteTally<u64, ClassOf<T>> for Tally<T> {
    fn new(_: ClassOf<T>) -> Self {
        let now = frame_system::Pallet::<T>::block_number().saturated_into();
        Self::with(T::Standing::electorate(), now, Count::default())
    }

    fn ayes(&self, _: ClassOf<T>) -> u64 {
        self.count.ayes
    }

    /// Ayes as a part of all weight; none as long as a poll that needs bond has not enough.
    fn support(&self, class: ClassOf<T>) -> Perbill {
        if self.lacks_bond(&class) {
            return Perbill::zero();
        }
        self.count.support(&self.electorate)
    }

    fn approval(&self, _: ClassOf<T>) -> Perbill {
        self.count.approval(&self.electorate)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn unanimity(_: ClassOf<T>) -> Self {
        benchmark_tally(BENCHMARK_WEIGHT, 0)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn rejection(_: ClassOf<T>) -> Self {
        benchmark_tally(0, BENCHMARK_WEIGHT)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn from_requirements(support: Perbill, approval: Perbill, _: ClassOf<T>) -> Self {
        let ayes = support.mul_ceil(BENCHMARK_WEIGHT);
        let cast = approval.saturating_reciprocal_mul_floor(ayes);
        benchmark_tally(ayes, cast.saturating_sub(ayes))
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn setup(_: ClassOf<T>, _: Perbill) {}
}

/// All weight and bond of a poll in benchmarks.
#[cfg(feature = "runtime-benchmarks")]
const BENCHMARK_WEIGHT: u64 = 1_000_000_000;

#[cfg(feature = "runtime-benchmarks")]
fn benchmark_tally<T: Config>(ayes: u64, nays: u64) -> Tally<T> {
    let electorate = Electorate {
        epoch: 0,
        weight: BENCHMARK_WEIGHT,
        bond: BENCHMARK_WEIGHT.into(),
    };
    let count = Count {
        ayes,
        nays,
        // Whatever needs bond has it.
        aye_bond: if ayes > 0 { BENCHMARK_WEIGHT.into() } else { 0 },
    };
    Tally::with(electorate, 0, count)
}

/// A vote, with the weight it was cast with.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct VoteRecord {
    /// For or against.
    pub aye: bool,
    /// The voter's own weight.
    pub own: u64,
    /// The weight of those who delegate to it and did not vote themselves.
    pub delegated: u64,
    /// Bond that counts and is locked, in planck; 0 in polls that need none.
    pub bond: Balance,
}

impl VoteRecord {
    /// What the vote adds to its side.
    pub fn weight(&self) -> u64 {
        self.own.saturating_add(self.delegated)
    }
}

/// Whom an operator's vote is delegated to.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Delegation<AccountId> {
    pub to: AccountId,
    /// Since which block.
    pub since: u32,
}

/// Somebody who delegates, or did.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Delegator<AccountId> {
    pub who: AccountId,
    pub span: Span,
}

/// A delegator's weight within its delegate's vote.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Counted<AccountId> {
    pub delegate: AccountId,
    pub weight: u64,
}
