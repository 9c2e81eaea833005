//! What a run is: who trains, how often they talk, at which rates.

use std::fmt;
use std::str::FromStr;

use anyhow::{bail, ensure, Context, Result};
use chasqui_primitives::training::{Codec, Outer};

/// Who trains on the tokens, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// One worker, its share of them.
    Share,
    /// One worker, all of them.
    Alone,
    /// All workers, exchanging every gradient.
    Parallel,
    /// All workers in rounds.
    Rounds {
        inner_steps: u32,
        codec: Codec,
        outer: Outer,
    },
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    pub way: Way,
    /// Highest inner learning rate.
    pub rate: f64,
}

/// The sparse codec as the Covenant runs use it.
pub const SPARSE: Codec = Codec::Sparse {
    chunk: 4_096,
    keep: 64,
    decay_ppm: 950_000,
};

/// The smallest runs of each kind.
pub const QUICK: &[&str] = &[
    "share:0.004",
    "alone:0.004",
    "parallel:0.004",
    "f32:16:0.004:0.7:0.9",
    "int8:16:0.004:0.7:0.9",
    "sparse:4:0.004:1:0",
];

/// The published runs of small batches.
const SMALL: &[&str] = &[
    "parallel:0.004",
    "parallel:0.008",
    "share:0.004",
    "alone:0.004",
    "alone:0.002",
    "sparse:4:0.004:1:0",
    "sparse:4:0.008:1:0",
    "f32:4:0.004:1:0",
    "f32:4:0.008:1:0",
    "sparse:20:0.008:1:0",
    "f32:20:0.008:1:0",
    "f32:100:0.004:1:0",
    "f32:100:0.008:1:0",
    "f32:100:0.004:0.7:0.9",
    "int8:100:0.004:1:0",
    "int8:100:0.008:1:0",
    "f32:400:0.008:1:0",
];

/// The published runs of large batches.
const LARGE: &[&str] = &[
    "parallel:0.004",
    "parallel:0.008",
    "share:0.008",
    "sparse:4:0.008:1:0",
    "sparse:4:0.008:1.5:0",
    "f32:4:0.008:1.5:0",
    "f32:50:0.008:1:0",
    "f32:50:0.008:0.7:0.6",
    "int8:100:0.004:1:0",
    "int8:100:0.008:1:0",
    "int8:100:0.008:0.7:0.6",
];

/// The published runs with so many sequences a member and step.
///
/// # Errors
/// None: all of them are settings.
pub fn published(batch: u32) -> Result<Vec<Spec>> {
    Spec::list(if batch < 32 { SMALL } else { LARGE })
}

impl Spec {
    /// The runs of a list.
    ///
    /// # Errors
    /// The first that says nothing.
    pub fn list(texts: &[&str]) -> Result<Vec<Self>> {
        texts.iter().map(|text| text.parse()).collect()
    }

    /// What it is whatever its rates: runs of one group are settings of the same thing.
    pub fn group(&self) -> String {
        match self.way {
            Way::Share => "one worker, its share of the tokens".into(),
            Way::Alone => "one worker, all tokens".into(),
            Way::Parallel => "data parallel".into(),
            Way::Rounds {
                inner_steps, codec, ..
            } => format!("DiLoCo, H = {inner_steps}, {}", name(codec)),
        }
    }

    /// The exchange in f32 that a codec's loss is compared with.
    pub fn uncompressed(&self) -> Option<String> {
        match self.way {
            Way::Rounds {
                inner_steps, codec, ..
            } if codec != Codec::F32 => Some(format!("DiLoCo, H = {inner_steps}, f32")),
            _ => None,
        }
    }

    /// Rate and momentum of the outer step.
    pub fn outer(&self) -> Option<(f64, f64)> {
        match self.way {
            Way::Rounds { outer, .. } => Some((
                f64::from(outer.rate_ppm) / 1e6,
                f64::from(outer.momentum_ppm) / 1e6,
            )),
            _ => None,
        }
    }
}

fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::F32 => "f32",
        Codec::Int8 { .. } => "int8",
        Codec::Sparse { .. } => "sparse",
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate;
        match self.way {
            Way::Share => write!(f, "share:{rate}"),
            Way::Alone => write!(f, "alone:{rate}"),
            Way::Parallel => write!(f, "parallel:{rate}"),
            Way::Rounds {
                inner_steps, codec, ..
            } => {
                let (outer, momentum) = self.outer().unwrap_or_default();
                let codec = name(codec);
                write!(f, "{codec}:{inner_steps}:{rate}:{outer}:{momentum}")
            }
        }
    }
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let number = |text: &str, most: f64| -> Result<f64> {
            let value: f64 = text
                .parse()
                .with_context(|| format!("{text:?} is no number"))?;
            ensure!(
                (0.0..=most).contains(&value),
                "{text} is not in 0 to {most}"
            );
            Ok(value)
        };
        let inner = |text: &str| -> Result<f64> {
            let rate = number(text, 1.0)?;
            ensure!(rate > 0.0, "a learning rate of 0 learns nothing");
            Ok(rate)
        };
        let simple = |way, rate| {
            Ok(Self {
                way,
                rate: inner(rate)?,
            })
        };
        match parts[..] {
            ["share", rate] => simple(Way::Share, rate),
            ["alone", rate] => simple(Way::Alone, rate),
            ["parallel", rate] => simple(Way::Parallel, rate),
            [codec, steps, rate, outer, momentum] => {
                let codec = match codec {
                    "f32" => Codec::F32,
                    "int8" => Codec::Int8 { block: 256 },
                    "sparse" => SPARSE,
                    other => bail!("{other:?} is no codec: f32, int8 or sparse"),
                };
                let inner_steps: u32 = steps
                    .parse()
                    .ok()
                    .filter(|steps| *steps > 0)
                    .with_context(|| format!("{steps:?} is no number of inner steps"))?;
                let momentum = number(momentum, 0.999_999)?;
                let outer = Outer {
                    rate_ppm: (number(outer, 10.0)? * 1e6).round() as u32,
                    momentum_ppm: (momentum * 1e6).round() as u32,
                    nesterov: momentum > 0.0,
                };
                Ok(Self {
                    way: Way::Rounds {
                        inner_steps,
                        codec,
                        outer,
                    },
                    rate: inner(rate)?,
                })
            }
            _ => bail!(
                "{text:?} is none of share:RATE, alone:RATE, parallel:RATE, CODEC:H:RATE:OUTER:MOMENTUM"
            ),
        }
    }
}
