//! `generate`: a completion on this machine, without the chain.

use std::{
    io::{stdout, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use anyhow::{Context, Result};
use chasqui_audit::{fingerprint_seed, Commitment, Opening, TraceFile};
use chasqui_engine::{Detokenizer, Engine, FinishReason, GenerateRequest, Message, TokenEvent};
use chasqui_primitives::hash::prompt_hash;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use sp_core::H256;

use super::options::{parse_hash, parse_ids, JsonOption};
use crate::sampling::{SamplingDefaults, SamplingOptions};

/// Options of `generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// Model folder in the Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    #[command(flatten)]
    pub prompt: PromptOption,
    /// Take --prompt as a user's message and put it into the model's chat template.
    #[arg(long, requires = "prompt", conflicts_with = "ids")]
    pub chat: bool,
    /// A system message before the user's.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub system: Option<String>,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    /// Where to compute: cpu, or cuda:N, an NVIDIA GPU.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Write the claim with its token trace to FILE, for `audit`.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Salt of the prompt's hash in the trace, 32 bytes in hex.
    #[arg(long, value_name = "HEX", value_parser = hash_option, requires = "trace", default_value = ZERO)]
    pub salt: H256,
    /// Genesis hash of the chain that the trace is for.
    #[arg(long, value_name = "HEX", value_parser = hash_option, requires = "trace", default_value = ZERO)]
    pub genesis: H256,
    #[command(flatten)]
    pub json: JsonOption,
}

/// The prompt, in one of two forms.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PromptOption {
    /// The prompt as text; the model's tokenizer makes ids of it, special tokens included.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// The prompt as token ids, taken as they are.
    #[arg(long, value_name = "ID,…", value_parser = ids_option)]
    pub ids: Option<IdList>,
}

/// Token ids given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdList(pub Vec<u32>);

const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn hash_option(text: &str) -> Result<H256, String> {
    parse_hash(text).map(|hash| H256(hash.0))
}

pub(super) fn ids_option(text: &str) -> Result<IdList, String> {
    parse_ids(text)
        .map(IdList)
        .map_err(|error| format!("{error:#}"))
}

/// What `--json` prints. The first six keys are fixed.
#[derive(Debug, Serialize)]
struct Report<'a> {
    prompt_ids: &'a [u32],
    output_ids: &'a [u32],
    /// `null` for a model without tokenizer.
    text: Option<String>,
    prefill_tokens_per_second: f64,
    decode_tokens_per_second: f64,
    finish: &'static str,
    sampling: serde_json::Value,
}

impl Generate {
    /// Runs the command.
    ///
    /// # Errors
    /// The model does not load, the request is out of its range, or a file cannot be written.
    pub fn run(self) -> Result<()> {
        // What was given is checked before a large model is loaded.
        self.sampling.to_sampling(&SamplingDefaults::default())?;
        let engine = Engine::load(&self.model, &self.device)?;
        let prompt_ids = self.prompt_ids(&engine)?;
        let room = engine
            .config()
            .max_position_embeddings
            .saturating_sub(prompt_ids.len());
        let said = &engine.assets().generation;
        let defaults = SamplingDefaults::of_model(said, room);
        let sampling = self.sampling.to_sampling(&defaults)?;
        if !said.ignored.is_empty() && !self.json.json {
            eprintln!(
                "generation_config.json also asks for {}, which is not computed",
                said.ignored.join(", ")
            );
        }
        let hash = prompt_hash(&self.genesis, self.salt.as_fixed_bytes(), &prompt_ids);
        let request = GenerateRequest {
            prompt_ids,
            sampling,
            fingerprint_seed: fingerprint_seed(&hash),
        };
        let mut stream = match self.json.json {
            true => None,
            false => Some(Stream::new(&engine)),
        };
        let mut broken = Ok(());
        let made = engine.generate(&request, |token| match &mut stream {
            None => ControlFlow::Continue(()),
            Some(stream) => match stream.show(token) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    broken = Err(error);
                    ControlFlow::Break(())
                }
            },
        })?;
        broken?;
        if let Some(stream) = stream {
            stream.finish()?;
        }

        if let Some(path) = &self.trace {
            let trace = made.trace();
            let opening = Opening {
                salt: self.salt.as_fixed_bytes(),
                prompt_ids: &request.prompt_ids,
                output_ids: &made.output_ids,
                trace: &trace,
            };
            let commitment = Commitment::of(
                self.genesis,
                request.sampling.clone(),
                made.finish_reason,
                &opening,
            );
            let text = TraceFile::new(&commitment, &opening).to_json()?;
            std::fs::write(path, text)
                .with_context(|| format!("--trace: writing {}", path.display()))?;
        }
        let finish = match made.finish_reason {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "cancelled",
        };
        let report = Report {
            prompt_ids: &request.prompt_ids,
            output_ids: &made.output_ids,
            text: engine
                .tokenizer()
                .ok()
                .map(|tokenizer| tokenizer.decode(&made.output_ids, true))
                .transpose()?,
            prefill_tokens_per_second: made.timings.prefill_tokens_per_second(),
            decode_tokens_per_second: made.timings.decode_tokens_per_second(),
            finish,
            sampling: json!({
                "temperature": f64::from(request.sampling.temperature_milli) / 1e3,
                "top_k": request.sampling.top_k,
                "top_p": f64::from(request.sampling.top_p_ppm) / 1e6,
                "max_tokens": request.sampling.max_tokens,
                "seed": request.sampling.seed,
            }),
        };
        self.json.print(&serde_json::to_value(&report)?, || {
            eprintln!(
                "{} prompt tokens at {:.0} a second, {} output tokens at {:.0} a second, ended by {finish}",
                report.prompt_ids.len(),
                report.prefill_tokens_per_second,
                report.output_ids.len(),
                report.decode_tokens_per_second,
            );
        });
        Ok(())
    }

    fn prompt_ids(&self, engine: &Engine) -> Result<Vec<u32>> {
        match (&self.prompt.prompt, &self.prompt.ids) {
            (Some(text), _) if self.chat => {
                let system = self.system.iter().map(|text| Message::new("system", text));
                let user = std::iter::once(Message::new("user", text));
                let messages: Vec<Message> = system.chain(user).collect();
                Ok(engine.chat_prompt(&messages)?)
            }
            (Some(text), _) => Ok(engine.tokenizer()?.encode(text, true)?),
            (None, Some(ids)) => Ok(ids.0.clone()),
            (None, None) => anyhow::bail!("give --prompt TEXT or --ids 1,2,3"),
        }
    }
}

/// Shows tokens on the terminal as they come: text where there is a tokenizer, else ids.
struct Stream<'a> {
    text: Option<Detokenizer<'a>>,
}

impl<'a> Stream<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self {
            text: engine
                .tokenizer()
                .ok()
                .map(|tokenizer| tokenizer.stream(true)),
        }
    }

    fn show(&mut self, token: TokenEvent) -> Result<()> {
        let piece = match &mut self.text {
            Some(text) => text.push(token.id)?,
            None => format!("{} ", token.id),
        };
        print(&piece)
    }

    fn finish(self) -> Result<()> {
        let rest = match self.text {
            Some(text) => text.finish()?,
            None => String::new(),
        };
        print(&(rest + "\n"))
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
