//! Chasqui's own runtime among other chains, in memory: a relay chain, Asset Hub and a stranger of our making.
//!
//! Messages travel through the runtime's real queues and router. One file a behaviour.

#![cfg(test)]

mod neighbour;
mod network;
mod relay;

mod arrivals;
mod departures;
mod hostile;
mod issuance;
mod remote_clients;
mod state_proofs;
mod trapped;
