//! Trains models of the Llama family from nothing, repeatably.
//!
//! [`corpus`] writes the text, [`tokenizer`] learns its tokens, [`data`] packs them into
//! sequences, [`train`] takes gradient steps with the optimiser of [`optim`] on the flat
//! parameters of [`flat`], and [`recipe`] strings these together into a model folder.
//!
//! Every part is a pure function of seeds and positions: the same recipe on the same class of
//! machine gives the same bits, for any number of threads.

#![warn(missing_docs)]

pub mod adapter;
mod card;
pub mod corpus;
pub mod data;
pub mod diloco;
pub mod error;
pub mod flat;
pub mod optim;
pub mod recipe;
pub mod rng;
pub mod sample;
pub mod tokenizer;
pub mod train;

pub use error::{Result, TrainingError};
