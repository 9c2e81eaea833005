//! Where completions come from: one interface over a model on this machine and over operators on
//! the chain.

use std::sync::Arc;

use async_trait::async_trait;
use chasqui_engine::{
    ChatTemplate, FinishReason, GenerationDefaults, LogProbs, Sampling, Tokenizer,
};
use chasqui_primitives::Balance;
use futures::stream::BoxStream;
use tokio::sync::watch;

/// A model as the gateway sees it: how text becomes token ids and back, and what tokens cost.
#[derive(Debug, Clone)]
pub struct Model {
    /// The name by which clients ask for it; may hold slashes.
    pub id: String,
    /// Other names that are taken for it; they are not listed.
    pub aliases: Vec<String>,
    /// When it was made or registered, in seconds since 1970.
    pub created: u64,
    /// Who offers it.
    pub owned_by: String,
    /// Most tokens of prompt and output together.
    pub context: usize,
    /// Most tokens of one output; `None` where only the context bounds them.
    pub max_output: Option<u32>,
    /// Token ids are below this.
    pub vocab_size: usize,
    /// Length of an embedding; `None` where the upstream makes none.
    pub embedding_size: Option<usize>,
    /// Tokens that end an output.
    pub eos_ids: Vec<u32>,
    /// Text to ids and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Messages to a prompt; `None` leaves chat to clients that write the prompt themselves.
    pub chat: Option<ChatTemplate>,
    /// How its makers sample.
    pub defaults: GenerationDefaults,
    /// What tokens cost at most.
    pub price: Price,
}

impl Model {
    /// Whether clients may ask for it by this name.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// Price of tokens, in planck each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// One prompt token.
    pub prompt: Balance,
    /// One output token.
    pub output: Balance,
}

impl Price {
    /// Planck for so many tokens; what does not fit the type counts as its largest value.
    pub fn of(&self, prompt_tokens: usize, output_tokens: usize) -> Balance {
        let prompt = self.prompt.saturating_mul(prompt_tokens as Balance);
        let output = self.output.saturating_mul(output_tokens as Balance);
        prompt.saturating_add(output)
    }
}

/// How likely the model found a token: natural logarithms of probabilities before temperature and cuts.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprobs {
    /// Of the token itself.
    pub chosen: f32,
    /// The likeliest tokens with theirs, likeliest first.
    pub top: Vec<(u32, f32)>,
}

impl From<LogProbs> for TokenLogprobs {
    fn from(probs: LogProbs) -> Self {
        Self {
            chosen: probs.chosen,
            top: probs.top().to_vec(),
        }
    }
}

/// What to generate.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model's id.
    pub model: String,
    /// The prompt, special tokens included; never empty, within vocabulary and context.
    pub prompt_ids: Arc<[u32]>,
    /// Seed, temperature, limits: valid, and prompt plus `max_tokens` fit the context.
    pub sampling: Sampling,
    /// Report log-probabilities with so many alternatives a token.
    pub top_logprobs: Option<usize>,
}

/// What happens to a generation, in order: tokens, then one end.
#[derive(Debug, Clone)]
pub enum Event {
    /// The next output token.
    Token {
        /// Its id.
        id: u32,
        /// Where the request asked for them and the upstream has them.
        logprobs: Option<TokenLogprobs>,
    },
    /// The end.
    Finished(Finished),
    /// The end, for a reason that is not the model's.
    Failed(Failure),
}

/// How a generation ended, and what it cost.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Why it ended. `Cancelled` where the gateway asked for it.
    pub reason: FinishReason,
    /// Prompt tokens that are charged.
    pub prompt_tokens: u32,
    /// Output tokens that are charged.
    pub output_tokens: u32,
    /// What it cost, in planck.
    pub price: Balance,
    /// Who computed it.
    pub operator: Option<String>,
    /// The session it was paid in.
    pub session: Option<String>,
    /// Its number within the session.
    pub sequence: Option<u64>,
    /// The operator's signed receipt, encoded.
    pub receipt: Option<Vec<u8>>,
}

/// Why there is no (further) token.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, for the client.
    pub reason: String,
    /// A token had been delivered before, so that the request must not be tried elsewhere.
    pub delivered: bool,
    /// What is owed for it nevertheless, in planck.
    pub price: Balance,
}

impl Failure {
    /// A failure before the first token that costs nothing.
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            delivered: false,
            price: 0,
        }
    }
}

/// Kinds of failure, by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// As much is under way as this upstream takes: another may have room, or later this one.
    Busy,
    /// The executor cannot be reached, went away, or did not answer in time.
    Unavailable,
    /// The upstream has no funds for this request.
    Unfunded,
    /// The request itself is refused: no upstream would take it.
    Invalid,
    /// Something is broken.
    Internal,
}

/// One text as a vector.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// Of Euclidean length 1.
    pub vector: Vec<f32>,
    /// What it cost, in planck.
    pub price: Balance,
}

/// Asks a generation to stop. Clones share the wish; it cannot be taken back.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody does.
    pub async fn cancelled(&self) {
        // Cannot fail: `self` holds the sender.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}

/// A source of completions and embeddings. The gateway asks its upstreams in their order and goes
/// on to the next while no token has come.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// What it serves now. Cheap: it is called for every request.
    fn models(&self) -> Vec<Arc<Model>>;

    /// Generates. The stream ends after [`Event::Finished`] or [`Event::Failed`]. After
    /// `cancel` it ends soon with what was computed and is owed; dropping it stops the generation
    /// too, unaccounted.
    fn generate(&self, request: Request, cancel: Cancel) -> BoxStream<'static, Event>;

    /// The embedding of token ids, which are never empty and lie within vocabulary and context.
    ///
    /// # Errors
    /// As [`Event::Failed`].
    async fn embed(&self, model: &str, ids: Vec<u32>) -> Result<Embedding, Failure>;
}
