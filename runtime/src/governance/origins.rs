//! Origins that referenda dispatch with, one a track, and what each may do.

pub use pallet_origins::*;

use crate::{constants::money::DOT, AccountId, Balance};
use frame_support::traits::EitherOf;
use frame_system::EnsureRootWithSuccess;
use sp_core::ConstU128;

/// Most that the track `fund-small` may promise at once, in planck.
pub const SMALL_SPEND: Balance = 1_000 * DOT;

/// Origins without calls of their own.
#[frame_support::pallet]
pub mod pallet_origins {
    use frame_support::pallet_prelude::*;

    #[pallet::config]
    pub trait Config: frame_system::Config {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What a referendum was approved for.
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
    #[pallet::origin]
    pub enum Origin {
        /// Dispatches what is whitelisted, with root.
        #[codec(index = 0)]
        WhitelistedRoot,
        /// Whitelists a call for the track above.
        #[codec(index = 1)]
        Whitelister,
        /// Sets parameters, spends the reserve.
        #[codec(index = 2)]
        Economics,
        /// Accepts checkpoints and lets them go.
        #[codec(index = 3)]
        Checkpoints,
        /// Promises a little out of the training fund.
        #[codec(index = 4)]
        FundSmall,
        /// Promises any part of the training fund.
        #[codec(index = 5)]
        FundLarge,
        /// Takes back what a slash took.
        #[codec(index = 6)]
        SlashCancellation,
    }
}

/// Declares what is satisfied by one [`Origin`].
macro_rules! ensure_origins {
    ($($(#[$doc:meta])* $name:ident: $origin:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl<O> frame_support::traits::EnsureOrigin<O> for $name
        where
            O: Into<Result<Origin, O>> + From<Origin> + Clone,
        {
            type Success = ();

            fn try_origin(o: O) -> Result<(), O> {
                o.clone().into().and_then(|origin| match origin {
                    Origin::$origin => Ok(()),
                    _ => Err(o),
                })
            }

            #[cfg(feature = "runtime-benchmarks")]
            fn try_successful_origin() -> Result<O, ()> {
                Ok(O::from(Origin::$origin))
            }
        }
    )*};
}

ensure_origins! {
    /// Satisfied by the track `root`.
    WhitelistedRoot: WhitelistedRoot;
    /// Satisfied by the track `whitelist`.
    Whitelister: Whitelister;
    /// Satisfied by the track `economics`.
    Economics: Economics;
    /// Satisfied by the track `checkpoints`.
    Checkpoints: Checkpoints;
    /// Satisfied by the track `slash-cancellation`.
    SlashCancellation: SlashCancellation;
    /// Satisfied by the track `fund-large`.
    FundLarge: FundLarge;
}

/// Root, or the track `economics`.
pub type RootOrEconomics = EitherOf<frame_system::EnsureRoot<AccountId>, Economics>;
/// Root, or the track `checkpoints`.
pub type RootOrCheckpoints = EitherOf<frame_system::EnsureRoot<AccountId>, Checkpoints>;
/// Root, or the track `fund-large`.
pub type RootOrFund = EitherOf<frame_system::EnsureRoot<AccountId>, FundLarge>;
/// Root, or a track of the fund, with the most that it may promise.
pub type Spender =
    EitherOf<EnsureRootWithSuccess<AccountId, ConstU128<{ Balance::MAX }>>, FundTracks>;

/// The tracks of the fund, with the most that each may promise at once.
pub struct FundTracks;

impl<O> frame_support::traits::EnsureOrigin<O> for FundTracks
where
    O: Into<Result<Origin, O>> + From<Origin> + Clone,
{
    type Success = Balance;

    fn try_origin(o: O) -> Result<Balance, O> {
        o.clone().into().and_then(|origin| match origin {
            Origin::FundSmall => Ok(SMALL_SPEND),
            Origin::FundLarge => Ok(Balance::MAX),
            _ => Err(o),
        })
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn try_successful_origin() -> Result<O, ()> {
        Ok(O::from(Origin::FundLarge))
    }
}
