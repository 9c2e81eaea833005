//! A network of real processes on free loopback ports: one `chasqui-node`, any number of `chasqui-worker`s, and the
//! worker's own commands for everything a person would do with them. Stopped, all of it, when dropped, and when the
//! program that drives it is killed.

pub mod blocks;
pub mod chat;
pub mod gateway;
pub mod governance;
pub mod interrupt;
pub mod network;
pub mod process;
pub mod scenes;
pub mod training;

pub use gateway::Gateway;
pub use network::{Network, NodeOptions, Operator, Settling, WorkerHandle};
pub use process::Process;
