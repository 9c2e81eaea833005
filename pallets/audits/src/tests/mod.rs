//! Tests, one file a behaviour.

mod any_sequence;
mod bad_calls;
mod block_weight;
mod evidence;
mod flags;
mod hostile_auditors;
mod interested;
mod machine;
mod many_cases;
mod missing_auditors;
mod no_openings;
mod openings;
mod parameters;
mod stage_one;
mod stage_two;
