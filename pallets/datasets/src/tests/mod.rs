//! One file a behaviour.

mod any_sequence;
mod deciding;
mod leaving;
mod points;
mod submitting;
mod try_state;
