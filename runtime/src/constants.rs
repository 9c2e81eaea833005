//! Units of money and time that the rest of the runtime is written in.

/// Money: DOT with ten decimals, as on the relay chain and Asset Hub.
pub mod money {
    use parachains_common::Balance;

    /// One DOT, in planck.
    pub const DOT: Balance = 10_000_000_000;
    /// A hundredth of a DOT, in planck.
    pub const CENT: Balance = DOT / 100;
    /// A hundred-thousandth of a DOT, in planck.
    pub const MILLICENT: Balance = CENT / 1_000;
    /// The least balance an account may hold, in planck (0.01 DOT, as on Asset Hub).
    pub const EXISTENTIAL_DEPOSIT: Balance = CENT;

    /// Fee for the base weight of a transaction (about a tenth of a millisecond), in planck: 1/200 of a cent, as on
    /// Polkadot's system parachains.
    pub const BASE_WEIGHT_FEE: Balance = CENT / 200;
    /// Fee for a byte of a transaction, in planck, as on Polkadot's system parachains: a kilobyte costs 0.005 DOT. The
    /// longest transaction that somebody must send, an opening of 64 KiB, has its fee returned when it succeeds, but its
    /// hot key has to hold it (0.33 DOT) at that moment.
    pub const BYTE_FEE: Balance = MILLICENT / 2;

    /// Fee for handing a message to another chain, in planck, beside that for its bytes. It grows while the way is
    /// crowded.
    pub const BASE_DELIVERY_FEE: Balance = 3 * CENT;

    /// Deposit for `items` storage entries of `bytes` bytes in total, in planck.
    pub const fn deposit(items: u32, bytes: u32) -> Balance {
        // Asset Hub's rate: 0.2 DOT an entry and 0.001 DOT a byte, divided by 100.
        (items as Balance * 20 * DOT + bytes as Balance * 10 * CENT) / 10_000
    }
}

/// Time, in milliseconds and in blocks of six seconds.
pub mod time {
    use parachains_common::BlockNumber;

    /// Length of a relay chain slot, in milliseconds.
    pub const RELAY_CHAIN_SLOT_MILLIS: u32 = 6_000;
    /// Length of a parachain slot, in milliseconds.
    pub const SLOT_MILLIS: u64 = 6_000;
    /// Blocks a minute at one block a slot.
    pub const MINUTES: BlockNumber = 10;
    /// Blocks an hour at one block a slot.
    pub const HOURS: BlockNumber = MINUTES * 60;
    /// Blocks a day at one block a slot.
    pub const DAYS: BlockNumber = HOURS * 24;
}

/// The other chains, and messages from them.
pub mod xcm {
    use xcm::latest::NetworkId;

    /// The relay chain.
    pub const NETWORK: NetworkId = NetworkId::Polkadot;
    /// Parachain id of Asset Hub.
    pub const ASSET_HUB: u32 = 1_000;
    /// Time that is charged for an instruction of a message, in picoseconds: a millisecond, several times what the
    /// dearest one takes.
    pub const INSTRUCTION_TIME: u64 = 1_000_000_000;
    /// Bytes of proof that are charged for an instruction: twice what the dearest one reads.
    pub const INSTRUCTION_PROOF_BYTES: u64 = 16 * 1024;
    /// Most instructions in a message, nested ones included.
    pub const MAX_INSTRUCTIONS: u32 = 100;
    /// The XCM version that a chain is spoken to in while it has not said which one it knows.
    pub const SAFE_VERSION: u32 = 5;
}

/// How blocks follow each other.
pub mod consensus {
    /// Blocks per relay chain slot in production.
    pub const BLOCKS_PER_SLOT: u32 = 1;
    /// Blocks per relay chain slot without a relay chain (see [`crate::pacing`]).
    pub const FAST_BLOCKS_PER_SLOT: u32 = 6;
    /// Most parachain blocks that may wait for inclusion on the relay chain.
    pub const UNINCLUDED_SEGMENT_CAPACITY: u32 = 3;
    /// The same for [`FAST_BLOCKS_PER_SLOT`].
    pub const FAST_UNINCLUDED_SEGMENT_CAPACITY: u32 = 8;
    /// Relay chain blocks between the tip and the relay parent that a block is built on.
    pub const RELAY_PARENT_OFFSET: u32 = 0;
    /// Parachain id of the `development` and `local` presets.
    pub const DEV_PARA_ID: u32 = 2_000;
}
