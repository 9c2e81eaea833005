//! What `pallet-xcm`'s calls cost.
//!
//! Bounds, not measurements: its benchmarks want a network around them. A call that moves assets runs a local message of
//! a few instructions and sends another; the bounds stand well above what system parachains measured for the same calls
//! (about a fifth of a millisecond, a dozen reads, seven kilobytes of proof). They are what the sender pays for.

use crate::Runtime;
use frame_support::weights::Weight;

type DbWeight = <Runtime as frame_system::Config>::DbWeight;

/// Weights of `pallet-xcm`.
pub struct XcmWeights;

/// `micros` microseconds, `reads` and `writes` of storage, each of which may be proven.
fn bound(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(
        micros.saturating_mul(1_000_000),
        reads.saturating_mul(4_096),
    )
    .saturating_add(DbWeight::get().reads_writes(reads, writes))
}

/// Moves assets here and sends a message.
fn transfer() -> Weight {
    bound(500, 16, 10)
}

/// Sends a message.
fn send() -> Weight {
    bound(100, 10, 5)
}

/// Reads and writes an entry or two.
fn small() -> Weight {
    bound(50, 4, 4)
}

/// A step of moving what is known of others' versions: up to a few entries and a message.
fn step() -> Weight {
    bound(200, 12, 8)
}

impl pallet_xcm::WeightInfo for XcmWeights {
    fn send() -> Weight {
        send()
    }
    fn teleport_assets() -> Weight {
        transfer()
    }
    fn reserve_transfer_assets() -> Weight {
        transfer()
    }
    fn transfer_assets() -> Weight {
        transfer()
    }
    fn execute() -> Weight {
        small()
    }
    fn force_xcm_version() -> Weight {
        small()
    }
    fn force_default_xcm_version() -> Weight {
        small()
    }
    fn force_subscribe_version_notify() -> Weight {
        send()
    }
    fn force_unsubscribe_version_notify() -> Weight {
        send()
    }
    fn force_suspension() -> Weight {
        small()
    }
    fn migrate_supported_version() -> Weight {
        step()
    }
    fn migrate_version_notifiers() -> Weight {
        step()
    }
    fn already_notified_target() -> Weight {
        step()
    }
    fn notify_current_targets() -> Weight {
        step()
    }
    fn notify_target_migration_fail() -> Weight {
        step()
    }
    fn migrate_version_notify_targets() -> Weight {
        step()
    }
    fn migrate_and_notify_old_targets() -> Weight {
        step()
    }
    fn new_query() -> Weight {
        small()
    }
    fn take_response() -> Weight {
        small()
    }
    fn claim_assets(n: u32) -> Weight {
        bound(100, 4, 4).saturating_add(bound(20, 1, 1).saturating_mul(n.into()))
    }
    fn add_authorized_alias() -> Weight {
        small()
    }
    fn remove_authorized_alias() -> Weight {
        small()
    }
    fn weigh_message(n: u32) -> Weight {
        bound(50, 0, 0).saturating_add(Weight::from_parts(100_000, 0).saturating_mul(n.into()))
    }
    fn decode_xcm(n: u32) -> Weight {
        bound(50, 0, 0).saturating_add(Weight::from_parts(50_000, 0).saturating_mul(n.into()))
    }
}
