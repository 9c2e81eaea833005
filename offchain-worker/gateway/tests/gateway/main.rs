//! The gateway over real HTTP with the shipped model, one file a behaviour.

mod chat;
mod completions;
mod embeddings;
mod failover;
mod hang_up;
mod input;
mod keys;
mod live_page;
mod load;
mod logprobs;
mod models;
mod origins;
mod queue;
mod scripted;
mod server;
mod stop_strings;
mod stopping;
