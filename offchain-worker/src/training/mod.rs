//! Training runs.
//!
//! | module | what it does |
//! |---|---|
//! | [`setup`] | from a run's terms to a trainer and its data |
//! | [`judge`] | a validator's verdict on a member's round, or on a round's outer step |

pub mod judge;
pub mod setup;
