//! By behaviour.

mod cases;
mod claims;
mod closing;
mod fees;
mod forfeits;
mod invariants;
mod shares;
mod state;
mod subsidies;
mod sweeps;
