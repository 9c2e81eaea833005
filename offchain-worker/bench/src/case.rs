//! What is measured: model shapes, precisions and the engines that run them.

use chasqui_engine::{Architecture, LlamaConfig, RopeScaling, WeightDtype};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Seed of all weights.
pub const SEED: u64 = 11;

/// A model shape. Every matrix has rows that candle's fastest int8 kernel takes (multiples of 256).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub enum Size {
    /// About 15 million parameters, tied head.
    #[value(name = "15m")]
    #[serde(rename = "15m")]
    Small,
    /// About 125 million parameters.
    #[value(name = "125m")]
    #[serde(rename = "125m")]
    Large,
}

impl Size {
    /// Its name in folders and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "15m",
            Self::Large => "125m",
        }
    }

    /// Its configuration with weights in `dtype`.
    pub fn config(self, dtype: WeightDtype) -> LlamaConfig {
        let (vocab, hidden, wide, layers, heads, kv_heads) = match self {
            Self::Small => (8_192, 512, 1_024, 5, 8, 2),
            Self::Large => (32_000, 768, 2_048, 12, 12, 4),
        };
        LlamaConfig {
            architecture: Architecture::Llama,
            vocab_size: vocab,
            hidden_size: hidden,
            intermediate_size: wide,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim: hidden / heads,
            max_position_embeddings: 2_048,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            qkv_bias: false,
            attention_output_bias: false,
            mlp_bias: false,
            qk_norm: false,
            tie_word_embeddings: self == Self::Small,
            // Wide enough that the layers, and not the last token's embedding alone, choose.
            initializer_range: 0.05,
            bos_token_id: None,
            eos_token_ids: vec![],
            dtype,
            // candle keeps them in f32 whatever the weights are.
            rope_frequency_dtype: WeightDtype::F32,
        }
    }

    /// The prompt number `index` of `tokens` tokens; each begins differently.
    pub fn prompt(self, index: usize, tokens: usize) -> Vec<u32> {
        let vocab = self.config(WeightDtype::F32).vocab_size;
        let token = |i: usize| ((index * 1_009 + i * 7_919) % vocab) as u32;
        (0..tokens).map(token).collect()
    }

    /// Weights in the layers' matrices: each is read once for every token.
    pub fn layer_weights(self) -> usize {
        let config = self.config(WeightDtype::F32);
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let kv = config.num_key_value_heads * config.head_dim;
        let layer = 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * wide;
        config.num_hidden_layers * layer
    }

    /// Weights in the output head: read once for every token that is sampled.
    pub fn head_weights(self) -> usize {
        let config = self.config(WeightDtype::F32);
        config.vocab_size * config.hidden_size
    }

    /// Floating-point operations of the matrix products that a prompt of `tokens` needs.
    pub fn prefill_operations(self, tokens: usize) -> f64 {
        2.0 * (self.layer_weights() as f64 * tokens as f64 + self.head_weights() as f64)
    }
}

/// How weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// bfloat16.
    Bf16,
    /// 8-bit integers in blocks of 32 with a scale: quantised from the f32 folder at load by ours,
    /// Q8_0 in a GGUF file for candle.
    Int8,
}

impl Precision {
    /// Its name in folders and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Element type of the safetensors file that it is loaded from.
    pub fn stored(self) -> WeightDtype {
        match self {
            Self::F32 | Self::Int8 => WeightDtype::F32,
            Self::F16 => WeightDtype::F16,
            Self::Bf16 => WeightDtype::Bf16,
        }
    }

    /// The engines that run it, ours first.
    pub fn systems(self) -> &'static [System] {
        match self {
            Self::F32 => &[System::Ours, System::Candle, System::Burn],
            Self::F16 | Self::Bf16 => &[System::Ours, System::Candle, System::CandleF32],
            Self::Int8 => &[System::Ours, System::Candle],
        }
    }
}

/// An engine and how it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Chasqui's engine on its own kernels.
    Ours,
    /// Chasqui's burn modules on the CPU.
    Burn,
    /// candle with weights as stored (Q8_0 for int8).
    Candle,
    /// candle with weights converted to f32 at load.
    CandleF32,
}

impl System {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Burn => "ours, burn",
            Self::Candle => "candle",
            Self::CandleF32 => "candle, as f32",
        }
    }

    /// Whether it is one of candle's.
    pub fn is_candle(self) -> bool {
        matches!(self, Self::Candle | Self::CandleF32)
    }

    /// Bytes in memory of a weight held at `precision`, scales included.
    pub fn bytes_per_weight(self, precision: Precision) -> f64 {
        match (self, precision) {
            (Self::Burn | Self::CandleF32, _) | (_, Precision::F32) => 4.0,
            (_, Precision::F16 | Precision::Bf16) => 2.0,
            // A block of 32 has an f32 scale in ours, an f16 scale in Q8_0.
            (Self::Ours, Precision::Int8) => 36.0 / 32.0,
            (Self::Candle, Precision::Int8) => 34.0 / 32.0,
        }
    }
}
