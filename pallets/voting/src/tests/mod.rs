//! One file a behaviour.

mod any_sequence;
mod bonds;
mod clean_up;
mod delegation;
mod outcomes;
mod try_state;
mod votes;
