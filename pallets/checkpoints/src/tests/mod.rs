//! Tests, one file a behaviour.

mod any_sequence;
mod calibrating;
mod ceiling;
mod genesis;
mod life;
mod proposing;
mod thresholds;
