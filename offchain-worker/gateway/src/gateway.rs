//! The gateway's state, shared by all requests.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::error::ApiError;
use crate::keys::{Key, Keyring};
use crate::limits::{LimitError, Limits};
use crate::live::{GatewaySnapshot, Live, Stats};
use crate::metrics::Metrics;
use crate::upstream::{Cancel, Model, Upstream};

/// What a gateway is made of.
pub struct Options {
    /// In the order in which they are asked.
    pub upstreams: Vec<Arc<dyn Upstream>>,
    /// Who may ask.
    pub keys: Keyring,
    /// How much.
    pub limits: Limits,
    /// The chain for the live page, where somebody follows it.
    pub live: Option<Arc<dyn Live>>,
}

/// Why a gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A limit out of its range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A bug.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// An OpenAI-compatible gateway over upstreams.
pub struct Gateway {
    upstreams: Vec<Arc<dyn Upstream>>,
    pub(crate) keys: Keyring,
    pub(crate) limits: Limits,
    pub(crate) live: Option<Arc<dyn Live>>,
    pub(crate) admission: Admission,
    pub(crate) metrics: Metrics,
    pub(crate) stats: Stats,
    /// Nobody new is served, and viewers are sent away.
    pub(crate) closing: Cancel,
    /// What is under way breaks off.
    pub(crate) stop: Cancel,
    /// Requests that are parsed and tokenised at once: bounds memory and processors in use.
    pub(crate) parsing: Arc<Semaphore>,
    pub(crate) viewers: Arc<Semaphore>,
}

impl Gateway {
    /// A gateway.
    ///
    /// # Errors
    /// A limit is out of its range.
    pub fn new(options: Options) -> Result<Arc<Self>, SetupError> {
        options.limits.check()?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self {
            admission: Admission::new(&options.limits),
            metrics: Metrics::new()?,
            stats: Stats::default(),
            closing: Cancel::default(),
            stop: Cancel::default(),
            parsing: Arc::new(Semaphore::new(processors)),
            viewers: Arc::new(Semaphore::new(options.limits.viewers)),
            upstreams: options.upstreams,
            keys: options.keys,
            limits: options.limits,
            live: options.live,
        }))
    }

    /// Its counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The models that `key` may use, each once, in the order of the upstreams.
    pub fn models(&self, key: Option<&Key>) -> Vec<Arc<Model>> {
        let mut models: Vec<Arc<Model>> = Vec::new();
        for model in self.upstreams.iter().flat_map(|one| one.models()) {
            let known = models.iter().any(|other| other.id == model.id);
            if !known && key.is_none_or(|key| key.allows(&model.id)) {
                models.push(model);
            }
        }
        models
    }

    /// The model of a name, if `key` may use it.
    ///
    /// # Errors
    /// It is not there for this key; the error lists those that are.
    pub fn model(&self, id: &str, key: &Key) -> Result<Arc<Model>, ApiError> {
        let models = self.models(Some(key));
        let found = models.iter().find(|model| model.is_called(id));
        found.cloned().ok_or_else(|| {
            let known: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
            ApiError::unknown_model(id, &known)
        })
    }

    /// The upstreams that serve a model now.
    pub(crate) fn serving(&self, id: &str) -> Vec<Arc<dyn Upstream>> {
        let serves = |one: &&Arc<dyn Upstream>| one.models().iter().any(|model| model.id == id);
        self.upstreams.iter().filter(serves).cloned().collect()
    }

    /// What the dearest upstream of a model may ask for so many tokens.
    pub(crate) fn most(&self, id: &str, prompt_tokens: usize, output_tokens: usize) -> u128 {
        let models = self.upstreams.iter().flat_map(|one| one.models());
        models
            .filter(|model| model.id == id)
            .map(|model| model.price.of(prompt_tokens, output_tokens))
            .max()
            .unwrap_or(0)
    }

    /// The gateway's own numbers.
    pub fn snapshot(&self) -> GatewaySnapshot {
        let models: Vec<String> = self.models(None).iter().map(|one| one.id.clone()).collect();
        let in_flight = self.metrics.in_flight.get();
        self.stats
            .snapshot(&models, in_flight, self.admission.waiting())
    }
}
