//! Models, honest runs and their claims, shared by the tests of each behaviour.
#![allow(dead_code)]

use std::{ops::ControlFlow, path::PathBuf};

use chasqui_audit::{
    claim::{fingerprint_seed, Commitment, Opening},
    default_thresholds, replay, AuditThresholds, Replay, Verdict,
};
use chasqui_engine::{Engine, GenerateRequest};
use chasqui_primitives::{hash::prompt_hash, sampling::Sampling, trace::TraceLeaf, FinishReason};
use sp_core::H256;

pub const GENESIS: H256 = H256::repeat_byte(0x11);
pub const PANEL: H256 = H256::repeat_byte(0x22);
pub const SALT: [u8; 32] = [0x33; 32];

pub fn golden(name: &str) -> Engine {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/tests/golden")
        .join(name);
    Engine::load(&dir, "cpu").expect("the golden model loads")
}

/// The checkpoint that the repository ships.
pub fn tales() -> Engine {
    shipped("chasqui-tales")
}

/// Its small sister, with the same tokenizer.
pub fn tales_small() -> Engine {
    shipped("chasqui-tales-small")
}

/// The folder of [`tales`].
pub fn tales_dir() -> PathBuf {
    shipped_dir("chasqui-tales")
}

fn shipped_dir(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../models")
        .join(name)
}

fn shipped(name: &str) -> Engine {
    Engine::load(&shipped_dir(name), "cpu").expect("the shipped model loads")
}

pub fn thresholds() -> AuditThresholds {
    default_thresholds()
}

pub fn sampling(temperature_milli: u32, seed: u64, max_tokens: u32) -> Sampling {
    Sampling {
        temperature_milli,
        seed,
        ..Sampling::greedy(max_tokens)
    }
}

/// A claim that owns its opening.
#[derive(Clone)]
pub struct Claim {
    pub commitment: Commitment,
    pub prompt_ids: Vec<u32>,
    pub output_ids: Vec<u32>,
    pub trace: Vec<TraceLeaf>,
}

impl Claim {
    pub fn opening(&self) -> Opening<'_> {
        Opening {
            salt: &SALT,
            prompt_ids: &self.prompt_ids,
            output_ids: &self.output_ids,
            trace: &self.trace,
        }
    }

    /// What an executor commits to that answers with this trace: all hashes fit.
    pub fn made_of(
        prompt_ids: &[u32],
        sampling: Sampling,
        finish: FinishReason,
        trace: Vec<TraceLeaf>,
    ) -> Self {
        let output_ids: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
        let opening = Opening {
            salt: &SALT,
            prompt_ids,
            output_ids: &output_ids,
            trace: &trace,
        };
        let commitment = Commitment::of(GENESIS, sampling, finish, &opening);
        Self {
            commitment,
            prompt_ids: prompt_ids.to_vec(),
            output_ids,
            trace,
        }
    }

    /// The same answer with a changed trace, finish reason as it was.
    pub fn edited(&self, edit: impl FnOnce(&mut Vec<TraceLeaf>)) -> Self {
        let mut trace = self.trace.clone();
        edit(&mut trace);
        let Commitment {
            sampling, finish, ..
        } = self.commitment.clone();
        Self::made_of(&self.prompt_ids, sampling, finish, trace)
    }

    pub fn replay(&self, engine: &Engine) -> Replay {
        self.replay_by(engine, &thresholds())
    }

    pub fn replay_by(&self, engine: &Engine, thresholds: &AuditThresholds) -> Replay {
        replay(
            engine,
            &self.commitment,
            &self.opening(),
            thresholds,
            &PANEL,
        )
        .expect("the replay itself works")
    }
}

/// An honest run.
pub fn honest(engine: &Engine, prompt_ids: &[u32], sampling: Sampling) -> Claim {
    let hash = prompt_hash(&GENESIS, &SALT, prompt_ids);
    let request = GenerateRequest {
        prompt_ids: prompt_ids.to_vec(),
        sampling: sampling.clone(),
        fingerprint_seed: fingerprint_seed(&hash),
    };
    let made = engine
        .generate(&request, |_| ControlFlow::Continue(()))
        .expect("the model generates");
    Claim::made_of(prompt_ids, sampling, made.finish_reason, made.trace())
}

pub fn is_hard(replay: &Replay) -> bool {
    matches!(replay.verdict, Verdict::Hard(_))
}
