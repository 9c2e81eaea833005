//! Tests, one file a behaviour.

mod adapters;
mod any_sequence;
mod calibrating;
mod ceiling;
mod genesis;
mod life;
mod lineage;
mod proposing;
mod thresholds;
