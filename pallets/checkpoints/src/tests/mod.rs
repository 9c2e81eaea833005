//! Tests, one file a behaviour.

mod any_sequence;
mod calibrating;
mod genesis;
mod life;
mod proposing;
mod thresholds;
