//! `checkpoint compare`.

use super::Arithmetic;
use crate::{
    cli::options::{JsonOption, NodeOptions},
    config::default_blob_dir,
    evaluation::{
        self,
        find::{Finder, Loading, Model, Named},
        Losses, Text, TOKENS,
    },
};
use anyhow::{ensure, Result};
use chasqui_primitives::NumericProfile;
use chasqui_training::diloco::Dataset;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{json, Value};
use std::{path::PathBuf, sync::Arc};

/// How checkpoints are found and computed.
#[derive(Debug, clap::Args)]
pub struct EngineOptions {
    /// Folder of blobs: what is missing in it is fetched from operators who serve it.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    /// Where to compute: cpu, or cuda:N, an NVIDIA GPU.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Threads on the CPU. Default: all. Changes no digit of the result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl EngineOptions {
    /// How a checkpoint is loaded, in this precision or the chain's.
    pub fn loading(&self, precision: Option<Arithmetic>) -> Loading {
        Loading {
            device: self.device.clone(),
            threads: self.threads.map(usize::from),
            profile: precision.map(Arithmetic::profile),
        }
    }
}

/// Compare two checkpoints.
#[derive(Debug, clap::Args)]
pub struct CompareCommand {
    /// The one, by root, or a model's or adapter's folder.
    #[arg(value_name = "A")]
    pub a: Named,
    /// The other.
    #[arg(value_name = "B")]
    pub b: Named,
    /// The dataset, by root, or its file. Only its held-out part is read, which no run trains on.
    #[arg(long, value_name = "DATASET")]
    pub data: Named,
    /// Where B has another tokenizer: a dataset of the same texts, built with B's. Both are then compared on all that is
    /// held out, by bits per byte.
    #[arg(long, value_name = "DATASET", conflicts_with = "tokens")]
    pub other_data: Option<Named>,
    /// Most tokens to predict, from the first held-out one on [default: 65536].
    #[arg(long, value_name = "N")]
    pub tokens: Option<u64>,
    /// What an adapter among them changes, by root or folder. Default: what it says itself.
    #[arg(long, value_name = "CHECKPOINT")]
    pub base: Option<Named>,
    /// How both are computed. Default: as the chain says of a registered checkpoint, else f32.
    #[arg(long, value_enum)]
    pub precision: Option<Arithmetic>,
    #[command(flatten)]
    pub engine: EngineOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl CompareCommand {
    pub(super) async fn run(self) -> Result<()> {
        let mut finder = Finder::new(&self.engine.blob_dir, &self.node.node)?;
        let first = Arc::new(finder.dataset(&self.data).await?);
        let second = match &self.other_data {
            Some(named) => Arc::new(finder.dataset(named).await?),
            None => first.clone(),
        };
        let wanted = match (&self.other_data, self.tokens) {
            (Some(_), _) => u64::MAX,
            (None, wanted) => wanted.unwrap_or(TOKENS),
        };
        let tokens = [&first, &second].map(|data| evaluation::predictions(data, wanted));
        let [tokens_a, tokens_b] = tokens;
        let (tokens_a, tokens_b) = (tokens_a?, tokens_b?);
        let loading = self.engine.loading(self.precision);
        let base = self.base.as_ref();
        let a = finder.model(&self.a, base, &loading).await?;
        evaluation::check_fits(&a, &first)?;
        let b = finder.model(&self.b, base, &loading).await?;
        evaluation::check_fits(&b, &second)?;
        let contexts = [&a, &b].map(|model| model.engine.config().max_position_embeddings);
        let [one, other] = contexts;
        let window = evaluation::window_of(one.min(other));
        let of_a = measure(a, first, window, tokens_a).await?;
        let of_b = measure(b, second, window, tokens_b).await?;
        if let (Some(_), Some(one), Some(other)) = (&self.other_data, of_a.text, of_b.text) {
            ensure!(
                one.hash == other.hash,
                "--other-data: what it holds out ({} bytes of text) is not the text that --data holds out ({} bytes): \
                 build both from the same folders with the same --held-out-ppm and no --max-tokens",
                other.bytes,
                one.bytes
            );
        }
        let (difference, error) = match self.other_data {
            None => match of_b.losses.more_than(&of_a.losses) {
                Some((difference, error)) => (Some(difference), error),
                None => (None, None),
            },
            Some(_) => (None, None),
        };
        // Without another dataset, tokens are the same, and one tokenizer is enough to count bytes.
        let shared = match self.other_data {
            None => of_a.text.or(of_b.text),
            Some(_) => None,
        };
        let (shown_a, shown_b) = (of_a.json(shared), of_b.json(shared));
        let bits = [&shown_a, &shown_b].map(|shown| shown["bitsPerByte"].as_f64());
        let lower = match (difference, bits) {
            (Some(difference), _) => Some(difference),
            (None, [Some(a), Some(b)]) => Some(b - a),
            _ => None,
        };
        let value = json!({
            "data": self.data.to_string(),
            "otherData": self.other_data.as_ref().map(Named::to_string),
            "window": window,
            "a": shown_a,
            "b": shown_b,
            // Of B's loss from A's, nats a token; the error is that of the mean over the windows.
            "difference": difference,
            "standardError": error,
            "better": lower.map(|lower| match lower {
                lower if lower < 0.0 => "b",
                lower if lower > 0.0 => "a",
                _ => "neither",
            }),
        });
        self.json.print(&value, || {
            for name in ["a", "b"] {
                println!(
                    "{}  {}",
                    name.to_uppercase(),
                    text(&value[name], "checkpoint")
                );
                print(&value[name]);
            }
            if let Some(difference) = difference {
                let error = error.map_or(String::new(), |error| format!(" ± {error:.6}"));
                println!("B - A  {difference:+.6}{error} nats a token");
            }
            println!("lower loss: {}", text(&value, "better").to_uppercase());
        });
        Ok(())
    }
}

/// One checkpoint's losses.
pub struct Measured {
    name: String,
    base: Option<String>,
    profile: NumericProfile,
    /// Losses.
    pub losses: Losses,
    /// The text that was predicted, if the checkpoint has a tokenizer.
    pub text: Option<Text>,
}

/// Evaluates a checkpoint, with a bar on a terminal.
pub async fn measure(
    model: Model,
    dataset: Arc<Dataset>,
    window: usize,
    tokens: u64,
) -> Result<Measured> {
    let bar = ProgressBar::new(tokens);
    bar.set_style(ProgressStyle::with_template(
        "predicting {bar:30} {human_pos}/{human_len} tokens  {eta}  {msg}",
    )?);
    bar.set_message(model.name.clone());
    let measured = tokio::task::spawn_blocking(move || {
        let engine = &model.engine;
        let losses =
            evaluation::evaluate(engine, &dataset, window, tokens, |at| bar.set_position(at));
        let text = match engine.tokenizer() {
            Ok(tokenizer) => Some(evaluation::text(tokenizer, &dataset, tokens)?),
            Err(_) => None,
        };
        bar.finish_and_clear();
        Ok::<_, anyhow::Error>(Measured {
            losses: losses?,
            text,
            name: model.name,
            base: model.base,
            profile: model.profile,
        })
    });
    measured.await?
}

impl Measured {
    /// As commands print it; `shared` is the text where its own tokenizer does not say.
    pub fn json(&self, shared: Option<Text>) -> Value {
        let text = self.text.or(shared);
        json!({
            "checkpoint": self.name,
            "base": self.base,
            "precision": match self.profile {
                NumericProfile::Int8 => "int8",
                _ => "f32",
            },
            "tokens": self.losses.tokens(),
            "loss": self.losses.mean(),
            "lossMicro": self.losses.mean_micro(),
            "perplexity": self.losses.perplexity(),
            "bytes": text.map(|text| text.bytes),
            "bitsPerByte": text.and_then(|text| self.losses.bits_per_byte(text.bytes)),
        })
    }
}

/// Prints what a checkpoint lost.
pub fn print(value: &Value) {
    if let Some(base) = value["base"].as_str() {
        println!("   adapter of    {base}");
    }
    let number = |field: &str| {
        let number = value[field].as_f64();
        number.map_or("- (it has no tokenizer)".into(), |number| {
            format!("{number:.6}")
        })
    };
    println!("   loss          {} nats a token", number("loss"));
    println!("   perplexity    {}", number("perplexity"));
    println!("   bits per byte {}", number("bitsPerByte"));
    println!("   tokens        {}", value["tokens"]);
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("-")
}
