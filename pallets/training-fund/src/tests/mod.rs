//! One file a behaviour.

mod any_sequence;
mod grants;
mod milestones;
mod runs;
mod try_state;
