//! One file a behaviour.

mod any_sequence;
mod census;
mod prices;
mod standing;
mod subsidy;
mod try_state;
