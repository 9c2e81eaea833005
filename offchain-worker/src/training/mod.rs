//! Training runs.
//!
//! | module | what it does |
//! |---|---|
//! | [`setup`] | from a run's terms to a trainer and its data |
//! | [`member`] | a member's side: what to do in each phase, and doing it |
//! | [`checkpoint`] | what a run makes on its way, the same bytes everywhere |
//! | [`config`], [`metrics`] | `[training]` of the configuration; what Prometheus is told |
//! | [`terms`] | the terms of a run as people write them |
//! | [`history`], [`curve`] | what happened in a run, from its events; its loss, drawn |
//! | [`judge`] | a validator's verdict on a member's round, or on a round's outer step |

pub mod checkpoint;
pub mod config;
pub mod curve;
pub mod history;
pub mod judge;
pub mod member;
pub mod metrics;
pub mod setup;
pub mod terms;
