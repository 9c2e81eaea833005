//! The gateway's upstream over sessions: the real session client against the real executor, on a chain in memory.

#[path = "../../session/tests/common/mod.rs"]
mod common;

mod audits;
mod concurrent;
mod failover;
mod fraud;
mod hang_up;
mod money;
mod own_trouble;
mod restart;
mod world;
