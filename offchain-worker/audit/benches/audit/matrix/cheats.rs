//! What cheats commit to. Every hash, count and signature is right: only the model can tell.
//!
//! Where a cheat would pay for fingerprints of the right model (a prefill over the finished answer, cheaper than
//! generating it), they are right here, so that the tokens alone must give it away.

use anyhow::{ensure, Result};
use chasqui_engine::{sampling::sample, Llama};
use chasqui_primitives::{sampling::Sampling, trace::TraceLeaf, FinishReason};
use chasqui_training::tokenizer::{BOS_ID, EOS_ID};

use super::{
    cases::{Case, Cases, Claim},
    generate::{generate, Order},
    honest::CHUNK,
    machine::{Auditor, Machine},
    models::{self, Models, Rounding},
};
use chasqui_audit::Scorer;
use chasqui_engine::cpu::Precision;

/// A way to cheat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cheat {
    /// The small model under its own fingerprints.
    SmallModel,
    /// Weights rounded to int8.
    Int8,
    /// Weights rounded to four bits.
    FourBits,
    /// bf16 weights and arithmetic where the profile says f32.
    Bf16,
    /// Another sampling seed than the client's.
    WrongSeed,
    /// Another temperature.
    WrongTemperature,
    /// The checkpoint a few training steps later.
    WrongVersion,
    /// One token replaced by any other, the rest as it was.
    EditedToken,
    /// One token replaced by the model's second choice, and honest from there on.
    RunnerUp,
    /// A sentence in the middle, and honest from there on.
    InsertedSentence,
    /// Cut short by a forged end token.
    EarlyStop,
    /// The last words again and again.
    Filler,
    /// The small model's answer under the right model's fingerprints.
    Rescored,
    /// The beginning of the prompt left out.
    ShortPrompt,
    /// The right tokens under the fingerprints of another run.
    CopiedFingerprint,
}

impl Cheat {
    /// In the order of the tables.
    pub const ALL: [Self; 15] = [
        Self::SmallModel,
        Self::Int8,
        Self::FourBits,
        Self::Bf16,
        Self::WrongSeed,
        Self::WrongTemperature,
        Self::WrongVersion,
        Self::EditedToken,
        Self::RunnerUp,
        Self::InsertedSentence,
        Self::EarlyStop,
        Self::Filler,
        Self::Rescored,
        Self::ShortPrompt,
        Self::CopiedFingerprint,
    ];

    /// Its name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::SmallModel => "small-model",
            Self::Int8 => "int8",
            Self::FourBits => "four-bits",
            Self::Bf16 => "bf16",
            Self::WrongSeed => "wrong-seed",
            Self::WrongTemperature => "wrong-temperature",
            Self::WrongVersion => "wrong-version",
            Self::EditedToken => "edited-token",
            Self::RunnerUp => "runner-up",
            Self::InsertedSentence => "inserted-sentence",
            Self::EarlyStop => "early-stop",
            Self::Filler => "filler",
            Self::Rescored => "rescored",
            Self::ShortPrompt => "short-prompt",
            Self::CopiedFingerprint => "copied-fingerprint",
        }
    }

    /// Its row in the tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::SmallModel => "a smaller model",
            Self::Int8 => "int8 weights",
            Self::FourBits => "4-bit weights",
            Self::Bf16 => "bf16 arithmetic on bf16 weights",
            Self::WrongSeed => "another seed",
            Self::WrongTemperature => "another temperature",
            Self::WrongVersion => "the checkpoint 8 training steps later",
            Self::EditedToken => "one edited token",
            Self::RunnerUp => "one token: the second choice, honest from there on",
            Self::InsertedSentence => "an inserted sentence, honest from there on",
            Self::EarlyStop => "early stop with a forged end token",
            Self::Filler => "repetition filler",
            Self::Rescored => "a small model's answer, re-scored",
            Self::ShortPrompt => "a prompt shortened by 10% to 75%",
            Self::CopiedFingerprint => "right tokens, fingerprints of another run",
        }
    }

    /// Whether it is false at one place only: how long the output is does not matter then.
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::EditedToken | Self::RunnerUp | Self::InsertedSentence | Self::EarlyStop
        )
    }

    /// The requests that it answers: a seed means nothing at temperature 0.
    fn case(self, cases: &Cases, index: u64) -> Result<Case> {
        match self {
            Self::WrongSeed => cases.case(index / 3 * 4 + index % 3 + 1),
            _ => cases.case(index),
        }
    }
}

/// A cheat's claim.
pub struct Forgery {
    /// What it commits to.
    pub claim: Claim,
    /// Its first token that the right model would not have said, as far as one can tell.
    pub from: usize,
    /// It is, by chance, the very claim that an honest executor makes: nothing is false.
    pub honest: bool,
}

/// The models that a cheat may use, on our CPU kernels with a thread each.
pub struct Family {
    /// The one that the client asked for.
    pub right: Machine,
    small: Machine,
    int8: Machine,
    four_bits: Machine,
    bf16: Machine,
    version: Machine,
}

impl Family {
    /// Around `right`, which is `models.right` or rounded from it; the others are rounded in the same way.
    ///
    /// # Errors
    /// The machine gives no threads.
    pub fn new(models: &Models, right: &Llama, rounding: Option<Rounding>) -> Result<Self> {
        let same = |model: &Llama| match rounding {
            None => Ok(model.clone()),
            Some(rounding) => models::rounded(model, rounding),
        };
        let cpu = |model: &Llama| models::cpu(model, 1, None, None);
        Ok(Self {
            right: cpu(right)?,
            small: cpu(&same(&models.small)?)?,
            int8: models::cpu(right, 1, None, Some(Precision::Int8))?,
            four_bits: cpu(&models::rounded(right, Rounding::FourBits)?)?,
            bf16: models::bf16(right, 1)?,
            version: cpu(&same(&models.version)?)?,
        })
    }

    fn scorer(&self) -> Auditor<'_> {
        Auditor {
            machine: &self.right,
            chunk: CHUNK,
        }
    }
}

/// The claims of `cheat` for the requests `indices`.
///
/// # Errors
/// A machine's.
pub fn forge(
    cheat: Cheat,
    family: &Family,
    cases: &Cases,
    indices: &[u64],
) -> Result<Vec<Forgery>> {
    let asked = indices
        .iter()
        .map(|index| cheat.case(cases, *index))
        .collect::<Result<Vec<_>>>()?;
    let orders: Vec<Order> = asked.iter().map(Case::order).collect();
    let whole = |traces: Vec<Vec<TraceLeaf>>| {
        let claims = asked.iter().zip(traces).map(|(case, trace)| Forgery {
            claim: case.claim(trace),
            from: 0,
            honest: false,
        });
        Ok(claims.collect())
    };
    match cheat {
        Cheat::SmallModel => whole(generate(&family.small, &orders)?),
        Cheat::Int8 => whole(generate(&family.int8, &orders)?),
        Cheat::FourBits => whole(generate(&family.four_bits, &orders)?),
        Cheat::Bf16 => whole(generate(&family.bf16, &orders)?),
        Cheat::WrongVersion => whole(generate(&family.version, &orders)?),
        Cheat::WrongSeed | Cheat::WrongTemperature => {
            let wrong = orders.iter().cloned().map(|order| Order {
                sampling: wrong_sampling(cheat, &order.sampling),
                ..order
            });
            let wrong = generate(&family.right, &wrong.collect::<Vec<_>>())?;
            let right = generate(&family.right, &orders)?;
            let same: Vec<bool> = wrong.iter().zip(right).map(|(a, b)| *a == b).collect();
            let mut forged: Vec<Forgery> = whole(wrong)?;
            for (one, same) in forged.iter_mut().zip(same) {
                one.honest = same;
            }
            Ok(forged)
        }
        Cheat::ShortPrompt => {
            let short = asked.iter().zip(orders).map(|(case, order)| {
                let mut random = cases.random(2, case.index);
                let len = order.prompt.len() as f64;
                let skipped = ((len * (0.1 + 0.65 * random.unit())) as usize).max(1);
                // The beginning-of-sequence id stays, as in a prompt cut to a window; noise counts as if all were there.
                let kept = &order.prompt[skipped + 1..];
                Order {
                    prompt: std::iter::once(BOS_ID)
                        .chain(kept.iter().copied())
                        .collect(),
                    skipped,
                    ..order
                }
            });
            whole(generate(&family.right, &short.collect::<Vec<_>>())?)
        }
        Cheat::Rescored => {
            let made = generate(&family.small, &orders)?;
            let scorer = family.scorer();
            let restated = asked
                .iter()
                .zip(made)
                .map(|(case, trace)| case.restated(&scorer, &tokens_of(&trace)));
            whole(restated.collect::<Result<_>>()?)
        }
        Cheat::CopiedFingerprint => {
            let others = indices
                .iter()
                .map(|index| Ok(cases.case(index.wrapping_add(1 << 40))?.order()))
                .collect::<Result<Vec<_>>>()?;
            let mut made = generate(&family.right, &orders)?;
            let others = generate(&family.right, &others)?;
            for (leaf, other) in made.iter_mut().flatten().zip(others.iter().flatten()) {
                leaf.fingerprint = other.fingerprint;
            }
            whole(made)
        }
        Cheat::EditedToken
        | Cheat::RunnerUp
        | Cheat::InsertedSentence
        | Cheat::EarlyStop
        | Cheat::Filler => {
            let made = generate(&family.right, &orders)?;
            let edited = asked.iter().zip(made).map(|(case, trace)| {
                let tokens = tokens_of(&trace);
                edit(cheat, family, cases, case, tokens)
            });
            edited.collect()
        }
    }
}

fn tokens_of(trace: &[TraceLeaf]) -> Vec<u32> {
    trace.iter().map(|leaf| leaf.token).collect()
}

/// What the cheat samples with instead of `asked`.
fn wrong_sampling(cheat: Cheat, asked: &Sampling) -> Sampling {
    let mut wrong = asked.clone();
    if cheat == Cheat::WrongSeed {
        wrong.seed = asked.seed.wrapping_add(1);
    } else {
        wrong.temperature_milli = match asked.temperature_milli {
            0 => 700,
            700 => 1_000,
            1_000 => 0,
            _ => 1_000,
        };
    }
    wrong
}

/// Changes an honest answer of the right model at one place or from there on.
fn edit(
    cheat: Cheat,
    family: &Family,
    cases: &Cases,
    case: &Case,
    honest: Vec<u32>,
) -> Result<Forgery> {
    let mut random = cases.random(3, case.index);
    let scorer = family.scorer();
    let vocabulary = scorer.vocab_size();
    let len = honest.len();
    ensure!(len >= 4, "an output of {len} tokens has nothing to change");
    let at = random.below(len);
    let mut tokens = honest;
    let mut from = at;
    let mut honest_after = None;
    match cheat {
        Cheat::EditedToken => {
            // Any other id but those that begin and end a text.
            let others = vocabulary as u32 - 3;
            let pick = 2 + random.below(others as usize) as u32;
            tokens[at] = if pick >= tokens[at] { pick + 1 } else { pick };
        }
        Cheat::RunnerUp => {
            tokens[at] = second_choice(&scorer, case, &tokens, at)?;
            honest_after = Some(at + 1);
        }
        Cheat::InsertedSentence => {
            let sentence = sentence(cases, case.index, len / 4)?;
            // It begins in the first three quarters, so that all of it is delivered.
            from = at * 3 / 4;
            tokens.truncate(from);
            tokens.extend(sentence);
            honest_after = Some(tokens.len());
        }
        Cheat::Filler => {
            from = len / 8 + at / 2;
            let loop_len = (2 + random.below(6)).min(from);
            for index in from..len {
                tokens[index] = tokens[index - loop_len];
            }
        }
        // Early stop.
        _ => {
            if tokens[0] == EOS_ID {
                // Nothing to cut: another request.
                let other = cases.case(case.index.wrapping_add(1 << 42))?;
                let made = generate(&family.right, &[other.order()])?;
                return edit(cheat, family, cases, &other, tokens_of(&made[0]));
            }
            // Before the model itself would have ended.
            let limit = tokens
                .iter()
                .position(|id| *id == EOS_ID)
                .unwrap_or(len - 1);
            from = at.min(limit.saturating_sub(1));
            tokens.truncate(from);
            tokens.push(EOS_ID);
        }
    }
    if let Some(kept) = honest_after {
        let kept = kept.min(len);
        tokens.truncate(kept);
        if kept < len {
            let rest = generate(&family.right, &[case.order_after(&tokens)])?;
            tokens.extend(rest.iter().flatten().map(|leaf| leaf.token));
        }
    }
    let trace = case.restated(&scorer, &tokens)?;
    let claim = match cheat {
        Cheat::EarlyStop => {
            let sampling = Sampling {
                ignore_eos: false,
                ..case.sampling.clone()
            };
            case.claim_ending(trace, FinishReason::Stop, sampling)
        }
        _ => case.claim(trace),
    };
    let honest = false;
    Ok(Forgery {
        claim,
        from,
        honest,
    })
}

/// What the model would have said at output token `at` if its choice did not exist.
fn second_choice(scorer: &Auditor<'_>, case: &Case, tokens: &[u32], at: usize) -> Result<u32> {
    let ids = [&case.prompt, &tokens[..at]].concat();
    let mut second = None;
    scorer.score_at(&ids, &[ids.len() - 1], &mut |seen| {
        let mut logits = seen.logits.to_vec();
        logits[tokens[at] as usize] = f32::MIN;
        second = Some(sample(&logits, &case.sampling, ids.len() as u64)?);
        Ok(())
    })?;
    second.ok_or_else(|| anyhow::anyhow!("a scorer left a position out"))
}

/// A sentence of another text, of at most `most` tokens.
fn sentence(cases: &Cases, index: u64, most: usize) -> Result<Vec<u32>> {
    let text = cases.text(index.wrapping_add(1 << 41))?;
    // Behind the beginning-of-sequence id.
    Ok(text[1..].iter().copied().take(most.max(1)).collect())
}
