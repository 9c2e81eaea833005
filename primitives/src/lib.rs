//! Shared types and the pure protocol rules of Chasqui.
//!
//! Everything here is a value or a pure function: no storage, no clock, no I/O. Pallets, the worker, the
//! simulator and the tests run this same code, so a rule that can be wrong has one place to be wrong in.
//!
//! | module | what it settles |
//! |---|---|
//! | [`types`] | identifiers, roles, jobs as all parts see them |
//! | [`hash`] | domain-separated hashing |
//! | [`sampling`] | how a token follows from logits: the parameters that are signed |
//! | [`receipt`] | what an executor signs, and its offline check |
//! | [`merkle`], [`blob`], [`trace`] | content addressing: trees, blobs, token traces |
//! | [`draw`] | weighted draws, audit probability |
//! | [`dataset`] | what can be told of a dataset, and how it is judged |
//! | [`window`] | rolling windows and the one-sided binomial test |
//! | [`audit`] | verdicts, statistics, thresholds, how a case is decided |
//! | [`session`] | many requests on one deposit: what both sides sign, settlement trees, a channel's rules |
//! | [`training`] | training runs: terms, what members sign, who trains on what |
//! | [`money`] | prices, fee splits, slash splits |
//! | [`prices`], [`subsidy`], [`credit`] | the price by vote, the subsidy of an epoch, how much work counts beside a weight |
//! | [`governance`] | how polls are counted, which delegations count in them |
//! | [`traits`] | what a pallet may ask of another |
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod audit;
pub mod blob;
pub mod credit;
pub mod dataset;
pub mod draw;
pub mod governance;
pub mod hash;
pub mod merkle;
pub mod money;
pub mod prices;
pub mod receipt;
pub mod sampling;
pub mod session;
pub mod subsidy;
pub mod trace;
pub mod training;
pub mod traits;
pub mod types;
pub mod window;

pub use types::*;
