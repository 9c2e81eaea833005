//! The engine's speed on several devices of one machine, on random models or on folders that are named:
//! `scripts/bench devices`, or `cargo bench --profile dev -p chasqui-engine --bench devices -- --help`.
//!
//! Runs of the devices take turns. What a device computes stands beside its speed: how far its logits are
//! from the first device's, and the first greedy token that differs.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{mpsc, Arc};
use std::time::Instant;

use chasqui_engine::batch::{Batcher, Limits};
use chasqui_engine::{
    Architecture, Engine, GenerateRequest, LlamaConfig, RopeScaling, Sampling, WeightDtype,
};
use serde_json::json;

const HELP: &str = "\
usage: devices [OPTION..] [DIR..]

  --devices LIST    devices in turns, the reference first (default cpu,cuda:0)
  --models DIR      where random models of 15 and 125 million parameters are kept (default: a temporary
                    folder); they are measured where no DIR is named
  --make            makes the random models and ends
  --prompt N        prompt tokens (default 256)
  --output N        output tokens (default 64)
  --requests LIST   how many requests at once, besides one (default 8,32)
  --runs N          runs of each figure (default 5)
  --bandwidth GB/s  what the devices' memory gives, for shares
  --quick           the small model and few runs: does it work, not how fast
  --json FILE       writes all figures too";

type Failure = Box<dyn std::error::Error>;

struct Options {
    devices: Vec<String>,
    models: Option<PathBuf>,
    make: bool,
    prompt: usize,
    output: usize,
    requests: Vec<usize>,
    runs: usize,
    bandwidth: Option<f64>,
    quick: bool,
    json: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        devices: vec!["cpu".into(), "cuda:0".into()],
        models: None,
        make: false,
        prompt: 256,
        output: 64,
        requests: vec![8, 32],
        runs: 5,
        bandwidth: None,
        quick: false,
        json: None,
        folders: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                std::process::exit(0);
            }
            // Cargo's own.
            "--bench" => {}
            "--devices" => options.devices = value()?.split(',').map(String::from).collect(),
            "--models" => options.models = Some(value()?.into()),
            "--make" => options.make = true,
            "--prompt" => options.prompt = value()?.parse()?,
            "--output" => options.output = value()?.parse()?,
            "--requests" => {
                let counts = value()?;
                let counts = counts.split(',').filter(|count| !count.is_empty());
                options.requests = counts.map(str::parse).collect::<Result<_, _>>()?;
            }
            "--runs" => options.runs = value()?.parse()?,
            "--bandwidth" => options.bandwidth = Some(value()?.parse()?),
            "--quick" => options.quick = true,
            "--json" => options.json = Some(value()?.into()),
            word if word.starts_with('-') => return Err(format!("unknown option {word}").into()),
            _ => options.folders.push(word.into()),
        }
    }
    if options.quick {
        (options.prompt, options.output, options.runs) = (32, 8, 1);
    }
    if options.prompt == 0 || options.output < 2 || options.runs == 0 {
        return Err("--prompt and --runs must be at least 1, --output at least 2".into());
    }
    Ok(options)
}

/// A model shape of `scripts/bench engine`.
fn shape(large: bool, dtype: WeightDtype) -> LlamaConfig {
    let (vocab, hidden, wide, layers, heads, kv_heads) = match large {
        false => (8_192, 512, 1_024, 5, 8, 2),
        true => (32_000, 768, 2_048, 12, 12, 4),
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
        tie_word_embeddings: !large,
        initializer_range: 0.05,
        bos_token_id: None,
        eos_token_ids: vec![],
        dtype,
        rope_frequency_dtype: WeightDtype::F32,
    }
}

/// The random models' folders below `root`, made where they are missing.
fn random_models(root: &Path, quick: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut folders = Vec::new();
    for large in [false, true].into_iter().take(if quick { 1 } else { 2 }) {
        for dtype in [WeightDtype::F32, WeightDtype::Bf16] {
            let config = shape(large, dtype);
            let size = if large { "125m" } else { "15m" };
            let folder = root.join(format!("{size}-{}", dtype.name()));
            let made = LlamaConfig::from_file(&folder.join("config.json"));
            if !made.is_ok_and(|made| made == config) {
                eprintln!("devices: making {}", folder.display());
                let device = chasqui_engine::device::open("cpu")?;
                config.init(11, &device).save_hf(&folder)?;
            }
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// Weights that every decoded token reads.
fn weights_read(config: &LlamaConfig) -> f64 {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let query = config.num_attention_heads * config.head_dim;
    let kv = config.num_key_value_heads * config.head_dim;
    let layer = 2 * hidden * query + 2 * hidden * kv + 3 * hidden * wide;
    (config.num_hidden_layers * layer + config.vocab_size * hidden) as f64
}

fn request(config: &LlamaConfig, index: usize, prompt: usize, output: usize) -> GenerateRequest {
    let token = |i: usize| ((index * 1_009 + i * 7_919) % config.vocab_size) as u32;
    GenerateRequest {
        prompt_ids: (0..prompt).map(token).collect(),
        sampling: Sampling {
            ignore_eos: true,
            ..Sampling::greedy(output as u32)
        },
        fingerprint_seed: [0; 32],
    }
}

/// Median, smallest and largest.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[sorted.len() / 2],
        sorted[0],
        sorted[sorted.len() - 1],
    ]
}

/// One device with one model.
struct Runner {
    device: String,
    engine: Arc<Engine>,
    load_seconds: f64,
    prefill: Vec<f64>,
    decode: Vec<f64>,
    /// Output tokens a second, for each count of requests.
    together: Vec<Vec<f64>>,
    tokens: Vec<u32>,
    logits: Vec<f32>,
}

impl Runner {
    fn new(folder: &Path, device: &str) -> Result<Self, Failure> {
        let start = Instant::now();
        let engine = Arc::new(Engine::load(folder, device)?);
        let load_seconds = start.elapsed().as_secs_f64();
        let probe = request(engine.config(), 3, 48, 2).prompt_ids;
        let logits = engine.score(&probe)?.logits;
        Ok(Self {
            device: device.into(),
            load_seconds,
            prefill: Vec::new(),
            decode: Vec::new(),
            together: Vec::new(),
            tokens: Vec::new(),
            logits,
            engine,
        })
    }

    fn alone(&mut self, options: &Options) -> Result<(), Failure> {
        let request = request(self.engine.config(), 0, options.prompt, options.output);
        let made = self
            .engine
            .generate(&request, |_| ControlFlow::Continue(()))?;
        self.prefill.push(made.timings.prefill_tokens_per_second());
        self.decode.push(made.timings.decode_tokens_per_second());
        self.tokens = made.output_ids;
        Ok(())
    }

    /// Output tokens a second of `count` requests at once, prompts in the time.
    fn several(&self, batcher: &Batcher, count: usize, options: &Options) -> Result<f64, Failure> {
        let (sender, receiver) = mpsc::channel();
        let start = Instant::now();
        for index in 0..count {
            let sender = sender.clone();
            // Short prompts: decoding together is what is asked about.
            let prompt = options.prompt.div_ceil(8);
            batcher.submit(
                request(self.engine.config(), index, prompt, options.output),
                |_| ControlFlow::Continue(()),
                move |outcome| {
                    // The receiver outlives every request.
                    let _ = sender.send(outcome);
                },
            )?;
        }
        for _ in 0..count {
            receiver.recv()??;
        }
        Ok((count * options.output) as f64 / start.elapsed().as_secs_f64())
    }
}

fn measure(folder: &Path, options: &Options) -> Result<Vec<Runner>, Failure> {
    let mut runners = Vec::new();
    for device in &options.devices {
        match Runner::new(folder, device) {
            Ok(runner) => runners.push(runner),
            Err(error) => eprintln!("devices: {}: left out: {error}", folder.display()),
        }
    }
    for runner in &mut runners {
        // Touches every weight and buffer once, outside the figures.
        runner.alone(options)?;
        (runner.prefill, runner.decode) = (Vec::new(), Vec::new());
    }
    for _ in 0..options.runs {
        for runner in &mut runners {
            runner.alone(options)?;
        }
    }
    for runner in &mut runners {
        let limits = Limits {
            pass_tokens: 512,
            ..Limits::default()
        };
        let batcher = Batcher::new(runner.engine.clone(), limits)?;
        for &count in std::iter::once(&1).chain(&options.requests) {
            runner.several(&batcher, count, options)?;
            let runs = (0..options.runs).map(|_| runner.several(&batcher, count, options));
            let runs = runs.collect::<Result<Vec<_>, _>>()?;
            runner.together.push(runs);
        }
    }
    Ok(runners)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let temporary = tempfile::tempdir()?;
    let root = options.models.as_deref().unwrap_or(temporary.path());
    let folders = match options.folders.is_empty() {
        true => random_models(root, options.quick)?,
        false => options.folders.clone(),
    };
    if options.make {
        return Ok(());
    }
    let mut table =
        String::from("| model | device | prefill, tokens/s | decode, tokens/s | of bandwidth");
    for count in std::iter::once(&1).chain(&options.requests) {
        write!(table, " | {count} at once, tokens/s")?;
    }
    table += " | load, s | logits from the first's | greedy tokens |\n|---|---|---|---|---";
    table += &"|---".repeat(options.requests.len() + 1);
    table += "|---|---|---|\n";
    let mut figures = Vec::new();
    for folder in &folders {
        let model = folder.file_name().unwrap_or_default().to_string_lossy();
        let runners = measure(folder, &options)?;
        for runner in &runners {
            let first = &runners[0];
            let apart = runner.logits.iter().zip(&first.logits);
            let apart = apart.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let same = runner.logits.len() == first.logits.len()
                && runner
                    .logits
                    .iter()
                    .zip(&first.logits)
                    .all(|(a, b)| a.to_bits() == b.to_bits());
            let differs = runner
                .tokens
                .iter()
                .zip(&first.tokens)
                .position(|(a, b)| a != b);
            let (prefill, decode) = (spread(&runner.prefill), spread(&runner.decode));
            let described = runner.engine.decoder().describe();
            let bytes = match described.rsplit(' ').next() {
                Some("bf16" | "f16") => 2.0,
                Some("int8") => 1.125,
                _ => 4.0,
            };
            let read = weights_read(runner.engine.config()) * bytes * decode[0];
            let share = options.bandwidth.map(|most| read / (most * 1e9));
            write!(
                table,
                "| {model} | {described} | {:.0} ({:.0}–{:.0}) | {:.0} ({:.0}–{:.0}) | {}",
                prefill[0],
                prefill[1],
                prefill[2],
                decode[0],
                decode[1],
                decode[2],
                share.map_or("–".into(), |share| format!("{:.0}%", share * 100.0)),
            )?;
            for runs in &runner.together {
                let [median, least, most] = spread(runs);
                write!(table, " | {median:.0} ({least:.0}–{most:.0})")?;
            }
            writeln!(
                table,
                " | {:.2} | {} | {} |",
                runner.load_seconds,
                match same {
                    true => "same bits".into(),
                    false => format!("{apart:.1e}"),
                },
                differs.map_or("same".into(), |at| format!("differ at {at}")),
            )?;
            figures.push(json!({
                "model": model, "device": runner.device, "described": described,
                "load_seconds": runner.load_seconds, "prefill": prefill, "decode": decode,
                "bytes_read_per_token": weights_read(runner.engine.config()) * bytes,
                "share_of_bandwidth": share, "together": runner.together,
                "requests": options.requests, "largest_logit_difference": apart,
                "same_bits": same, "first_difference": differs,
            }));
        }
    }
    println!("{table}");
    if let Some(file) = &options.json {
        let all = json!({
            "prompt": options.prompt, "output": options.output, "runs": options.runs,
            "bandwidth_gb_s": options.bandwidth, "figures": figures,
        });
        std::fs::write(file, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}
