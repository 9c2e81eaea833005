//! A member's side of training runs.
//!
//! | module | what it does |
//! |---|---|
//! | [`facts`] | what the chain says of a run, as plain values |
//! | [`step`] | what to do now, as a function of that and of what the state folder holds |
//! | [`seat`] | does it, and looks again |
//! | [`desk`] | everything that computes |
//! | [`books`] | what must not be forgotten: reports and salts that were committed to, outcomes |
//! | [`shelves`] | what is handed out to others, and for how long |
//! | [`blobs`], [`ledger`] | what a seat needs of the world, as traits |
//! | [`onchain`] | these traits over the real chain and real peers |
//! | [`duty`] | a worker's seats: which runs it takes part in |

pub mod blobs;
pub mod books;
pub mod desk;
pub mod duty;
pub mod facts;
pub mod ledger;
pub mod onchain;
pub mod seat;
pub mod shelves;
pub mod step;
