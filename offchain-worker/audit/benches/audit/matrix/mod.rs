//! The matrix of attacks and detectors: who computes, what is claimed, what an auditor finds.
//!
//! | module | what it holds |
//! |---|---|
//! | [`machine`], [`bf16`] | whoever computes: our engine in any of its forms, burn, bf16 arithmetic |
//! | [`models`] | the shipped checkpoints and what is made of them: rounded, trained on |
//! | [`cases`] | prompts, sampling, and claims about them |
//! | [`generate`] | many runs at once |
//! | [`honest`] | pairs of machines that compute the same model differently |
//! | [`cheats`] | what a cheat commits to |
//! | [`detect`] | what each detector says |
//! | [`profile`] | one numeric profile from calibration to rates |
//! | [`stats`], [`parallel`] | intervals, quantiles, threads |
//!
//! Everything is a function of one seed: the same runs on every machine and for any number of threads.

pub mod bf16;
pub mod cases;
pub mod cheats;
pub mod detect;
pub mod generate;
pub mod honest;
pub mod machine;
pub mod models;
pub mod parallel;
pub mod profile;
pub mod stats;
