//! How the runtime configures its pallets, one file an area.

mod accounts;
mod chasqui;
mod consensus;
mod messages;
mod money;
mod system;
pub mod xcm;
mod xcm_weights;

pub use accounts::ProxyType;
pub use chasqui::{RESERVE, REWARDS_POT, SESSIONS_POT, SUBSIDY_POT, TRAINING_FUND};
pub use consensus::{SESSION_LENGTH, STAKING_POT};
pub use system::{RuntimeBlockLength, RuntimeBlockWeights};
