//! Changes of storage that come with an upgrade.

/// Those of this release: there is no older one.
#[cfg(not(feature = "rehearsal"))]
pub type Pending = ();

/// Those of the next release in a rehearsal.
#[cfg(feature = "rehearsal")]
pub type Pending = frame_support::migrations::VersionedMigration<
    0,
    1,
    rehearsal::WriteAnew,
    crate::Pacing,
    <crate::Runtime as frame_system::Config>::DbWeight,
>;

#[cfg(feature = "rehearsal")]
mod rehearsal {
    use crate::{pacing::FastBlocks, Runtime};
    use frame_support::{traits::UncheckedOnRuntimeUpgrade, weights::Weight};

    /// Reads the pace that genesis chose, and writes it as it was.
    pub struct WriteAnew;

    impl UncheckedOnRuntimeUpgrade for WriteAnew {
        fn on_runtime_upgrade() -> Weight {
            FastBlocks::<Runtime>::put(FastBlocks::<Runtime>::get());
            <Runtime as frame_system::Config>::DbWeight::get().reads_writes(1, 1)
        }
    }
}
