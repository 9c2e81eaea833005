//! One file a behaviour.

mod accounts;
mod any_sequence;
mod challenges;
mod creating;
mod evaluating;
mod failing;
mod judges;
mod lies;
mod membership;
mod registering;
mod reports;
mod rounds;
mod service;
mod tasks;
mod try_state;
