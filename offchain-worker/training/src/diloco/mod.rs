//! DiLoCo rounds: many machines train one model and seldom talk.
//!
//! Each member takes H steps of its own from the agreed model and sends how far it got, encoded; all apply the same outer
//! step to what they received and get the same bits. States kept on the way let anybody replay a part of it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`dataset`] | a folder of text as one seekable blob of tokens |
//! | [`plan`] | a member's part of a round: its data, its kept steps |
//! | [`inner`] | the inner steps of a recipe |
//! | [`codec`] | pseudo-gradients as bytes: f32, int8, sparse with error feedback |
//! | [`outer`] | the outer step, and the hash that members agree on |
//! | [`agreement`] | the model between rounds, attesting, and the audit of an outer step |
//! | [`state`], [`kept`] | states as blobs and leaves |
//! | [`segment`], [`judge`], [`evidence`] | a validator's replay, its verdict, its proof of work |
//! | [`class`] | whose bits agree |
//! | [`member`] | the member's side, on a state folder that survives `kill -9` |
//! | [`Cheat`] | how a member would cheat, for tests of a network |
//! | [`blobs`] | where blobs come from and go to |
//!
//! The rules of rounds, members and money are in `chasqui_primitives::training`.

pub mod agreement;
pub mod blobs;
mod cheat;
pub mod class;
pub mod codec;
pub mod dataset;
pub mod evidence;
mod files;
pub mod inner;
mod journal;
pub mod judge;
pub mod kept;
pub mod member;
pub mod outer;
pub mod plan;
pub mod segment;
pub mod state;

pub use blobs::{Blobs, FolderBlobs, MemoryBlobs};
pub use cheat::Cheat;
pub use class::ReplayClass;
pub use codec::Coder;
pub use dataset::Dataset;
pub use inner::{Inner, Local};
pub use member::Member;
pub use outer::OuterState;
pub use plan::RoundPlan;
