//! What follows from an event for others, and why one is refused.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    members::Exit,
    phase::{Draw, Failure},
    report::ModelState,
};
use crate::Balance;
use sp_core::H256;

/// What follows from an event for others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<AccountId> {
    /// A seed that does not exist yet decides this: it goes to [`Machine::seed`].
    Announce(Draw),
    /// A case about a member's round: how that went goes to [`Machine::opened`], how it ends to [`Machine::verdict`].
    OpenCase {
        round: u32,
        rank: u32,
        who: AccountId,
    },
    /// A case about a round's outer step: how that went goes to [`Machine::challenge_opened`], how it ends to
    /// [`Machine::challenge_verdict`]. `accused` voted for the agreed model, like others.
    OpenChallenge {
        round: u32,
        seed: H256,
        challenger: AccountId,
        accused: AccountId,
    },
    /// Its bond answers for what it did in a round; fails the call where it cannot.
    Hold(AccountId),
    /// One hold less.
    Free(AccountId),
    /// A duty kept or missed.
    Duty {
        who: AccountId,
        kept: bool,
    },
    /// Proven false.
    Slash {
        who: AccountId,
        round: u32,
        reporter: Option<AccountId>,
    },
    /// For an accepted round.
    Pay {
        who: AccountId,
        round: u32,
        amount: Balance,
        units: u64,
    },
    /// The challenger's deposit is decided.
    Deposit {
        challenger: AccountId,
        back: bool,
    },
    /// Takes part from the next round on.
    Activated(AccountId),
    Dropped {
        who: AccountId,
        exit: Exit,
    },
    /// A round's members and data are fixed.
    RoundBegan {
        round: u32,
        members: u32,
        first_sequence: u64,
    },
    RoundAgreed {
        round: u32,
        model: ModelState,
    },
    RoundVoid {
        round: u32,
    },
    RoundFinal {
        round: u32,
        model: ModelState,
    },
    RoundUndone {
        round: u32,
    },
    /// The run's budget is no longer needed.
    Ended(Option<Failure>),
}

/// Why the machine does not allow something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The run does not take members any more.
    Ending,
    /// It has as many as it may.
    Full,
    AlreadyMember,
    /// It was proven false in this run.
    Banned,
    NotMember,
    /// Leaves already.
    Leaving,
    /// Another round runs, or none.
    OtherRound,
    /// Not in this phase, or too late.
    WrongPhase,
    AlreadyCommitted,
    NotCommitted,
    AlreadyRevealed,
    NotRevealed,
    /// Report and salt do not hash to the commitment.
    Mismatch,
    /// Another member revealed the same pseudo-gradient or kept states.
    Duplicate,
    /// Not the leaves, tokens or units of this recipe.
    ReportShape,
    /// Not as many ranks as members.
    RanksShape,
    AlreadyAttested,
    AlreadyAgreed,
    /// It was proven false, and is out from the next edge on.
    Convicted,
    /// No agreed round can be challenged, or not this one, or it is challenged already.
    NotChallengeable,
    /// The challenge says what was agreed on.
    SameModel,
    /// No such case is open.
    NoCase,
    /// That seed is not awaited.
    NotAwaited,
}
