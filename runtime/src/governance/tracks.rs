//! Tracks: how long a referendum takes, and what it needs to pass. `docs/governance.md` says why each is as it is.

use super::origins::Origin;
use crate::{
    constants::{
        money::DOT,
        time::{DAYS, HOURS},
    },
    pacing::FastBlocks,
    Balance, BlockNumber, OriginCaller, Runtime,
};
use alloc::borrow::Cow;
use pallet_referenda::{Curve, Track, TrackInfo, TracksInfo};
use sp_runtime::{str_array, Perbill};

/// How much shorter everything takes on a development chain: a day is three blocks there.
pub const FAST_DIVISOR: BlockNumber = DAYS / 3;

/// A time in blocks, as it is on this chain; never nothing.
pub fn paced(blocks: BlockNumber) -> BlockNumber {
    if FastBlocks::<Runtime>::get() {
        (blocks / FAST_DIVISOR).max(1)
    } else {
        blocks
    }
}

/// Numbers of the tracks.
pub mod id {
    pub const ROOT: u16 = 0;
    pub const WHITELIST: u16 = 1;
    pub const ECONOMICS: u16 = 2;
    pub const CHECKPOINTS: u16 = 3;
    pub const FUND_SMALL: u16 = 4;
    pub const FUND_LARGE: u16 = 5;
    pub const SLASH_CANCELLATION: u16 = 6;
}

/// What distinguishes a track.
struct Shape {
    id: u16,
    name: &'static str,
    max_deciding: u32,
    /// In DOT.
    deposit: Balance,
    prepare: BlockNumber,
    decision: BlockNumber,
    confirm: BlockNumber,
    enactment: BlockNumber,
    /// Percent at the beginning and at the end of the decision period.
    approval: (u32, u32),
    support: (u32, u32),
}

const SHAPES: [Shape; 7] = [
    Shape {
        id: id::ROOT,
        name: "root",
        max_deciding: 1,
        deposit: 1_000,
        prepare: DAYS,
        decision: 28 * DAYS,
        confirm: 2 * DAYS,
        enactment: DAYS,
        approval: (100, 66),
        support: (60, 40),
    },
    Shape {
        id: id::WHITELIST,
        name: "whitelist",
        max_deciding: 5,
        deposit: 100,
        prepare: 12 * HOURS,
        decision: 14 * DAYS,
        confirm: 12 * HOURS,
        enactment: HOURS,
        approval: (100, 66),
        support: (50, 25),
    },
    Shape {
        id: id::ECONOMICS,
        name: "economics",
        max_deciding: 5,
        deposit: 100,
        prepare: DAYS,
        decision: 21 * DAYS,
        confirm: DAYS,
        enactment: DAYS,
        approval: (100, 55),
        support: (40, 15),
    },
    Shape {
        id: id::CHECKPOINTS,
        name: "checkpoints",
        max_deciding: 10,
        deposit: 50,
        prepare: DAYS,
        decision: 14 * DAYS,
        confirm: 12 * HOURS,
        enactment: HOURS,
        approval: (80, 50),
        support: (30, 10),
    },
    Shape {
        id: id::FUND_SMALL,
        name: "fund-small",
        max_deciding: 20,
        deposit: 10,
        prepare: 6 * HOURS,
        decision: 7 * DAYS,
        confirm: 6 * HOURS,
        enactment: HOURS,
        approval: (70, 50),
        support: (20, 5),
    },
    Shape {
        id: id::FUND_LARGE,
        name: "fund-large",
        max_deciding: 5,
        deposit: 200,
        prepare: DAYS,
        decision: 21 * DAYS,
        confirm: 2 * DAYS,
        enactment: DAYS,
        approval: (90, 60),
        support: (40, 15),
    },
    Shape {
        id: id::SLASH_CANCELLATION,
        name: "slash-cancellation",
        max_deciding: 5,
        deposit: 50,
        prepare: 6 * HOURS,
        decision: 14 * DAYS,
        confirm: 12 * HOURS,
        enactment: HOURS,
        approval: (90, 66),
        support: (40, 20),
    },
];

/// Until a referendum is decided it may wait so long.
pub const UNDECIDING_TIMEOUT: BlockNumber = 14 * DAYS;
/// After its submission a referendum is over for certain: the longest wait, preparation, decision and confirmation, and a
/// day for those who wake it.
pub const POLL_LIFE: BlockNumber = UNDECIDING_TIMEOUT + (1 + 28 + 2 + 1) * DAYS;
/// As long as bonds stay locked behind an approved referendum of the track `root`: its enactment, and a week in which a
/// call that was scheduled for later takes effect.
pub const BOND_LOCK: BlockNumber = 8 * DAYS;

fn falling((from, to): (u32, u32)) -> Curve {
    Curve::LinearDecreasing {
        length: Perbill::one(),
        floor: Perbill::from_percent(to),
        ceil: Perbill::from_percent(from),
    }
}

impl Shape {
    fn track(&self) -> Track<u16, Balance, BlockNumber> {
        Track {
            id: self.id,
            info: TrackInfo {
                name: str_array(self.name),
                max_deciding: self.max_deciding,
                decision_deposit: self.deposit.saturating_mul(DOT),
                prepare_period: paced(self.prepare),
                decision_period: paced(self.decision),
                confirm_period: paced(self.confirm),
                min_enactment_period: paced(self.enactment),
                min_approval: falling(self.approval),
                min_support: falling(self.support),
            },
        }
    }
}

/// The tracks of this runtime.
pub struct Tracks;

impl TracksInfo<Balance, BlockNumber> for Tracks {
    type Id = u16;
    type RuntimeOrigin = OriginCaller;

    fn tracks() -> impl Iterator<Item = Cow<'static, Track<u16, Balance, BlockNumber>>> {
        SHAPES.iter().map(|shape| Cow::Owned(shape.track()))
    }

    fn track_for(origin: &OriginCaller) -> Result<u16, ()> {
        match origin {
            OriginCaller::Origins(origin) => Ok(match origin {
                Origin::WhitelistedRoot => id::ROOT,
                Origin::Whitelister => id::WHITELIST,
                Origin::Economics => id::ECONOMICS,
                Origin::Checkpoints => id::CHECKPOINTS,
                Origin::FundSmall => id::FUND_SMALL,
                Origin::FundLarge => id::FUND_LARGE,
                Origin::SlashCancellation => id::SLASH_CANCELLATION,
            }),
            _ => Err(()),
        }
    }
}
