//! By behaviour.

mod draws;
mod duties;
mod electorate;
mod epochs;
mod invariants;
mod keys;
mod leaving;
mod params;
mod registration;
mod reputation;
mod serving;
mod slashing;
mod state;
