//! Models on this machine: free, without receipts, behind the same interface as the chain's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use chasqui_engine::batch::{Batcher, Limits, Options};
use chasqui_engine::{Engine, EngineError, GenerateRequest, LoadOptions};
use futures::stream::{self, BoxStream};
use futures::StreamExt;
use std::ops::ControlFlow;
use tokio::sync::{mpsc, Semaphore};

use crate::upstream::{
    Cancel, Embedding, Event, Failure, FailureKind, Finished, Model, Price, Request, Upstream,
};

/// Most models of one gateway.
pub const MAX_MODELS: usize = 64;
/// Longest name of a model, in bytes.
pub const MAX_MODEL_ID: usize = 128;

/// A model folder and the name under which it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFolder {
    /// The name by which clients ask for it.
    pub id: String,
    /// The folder, in the Hugging Face layout.
    pub path: PathBuf,
}

impl ModelFolder {
    /// `NAME=DIR`, or `DIR` with the folder's own name.
    ///
    /// # Errors
    /// The name is empty, too long, or has other characters than letters, digits and `._:@/-`.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let (id, path) = match text.split_once('=') {
            Some((id, path)) => (id.to_string(), PathBuf::from(path)),
            None => {
                let path = PathBuf::from(text);
                // `.` and `..` have a name only once they are resolved.
                let named = path.canonicalize().unwrap_or_else(|_| path.clone());
                let name = named.file_name().map(|name| name.to_string_lossy());
                (name.unwrap_or_default().into_owned(), path)
            }
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || "._:@/-".contains(c);
        if id.is_empty() || id.len() > MAX_MODEL_ID || !id.chars().all(legal) {
            return Err(LoadError::Id(id));
        }
        Ok(Self { id, path })
    }
}

/// Why a model is not served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A name that clients could not ask for.
    #[error("'{0}' cannot be a model's name: give NAME=DIR with 1 to {MAX_MODEL_ID} letters, digits or . _ : @ / -")]
    Id(String),
    /// Two models of one name.
    #[error("two models have the name '{0}': give one of them another, by NAME=DIR")]
    Twice(String),
    /// None, or too many.
    #[error("{0} models are given; give 1 to {MAX_MODELS}")]
    Count(usize),
    /// The engine refuses it.
    #[error("loading the model '{id}'")]
    Engine {
        /// The model's name.
        id: String,
        /// Why.
        #[source]
        source: EngineError,
    },
}

/// Models of folders, each with a batcher of its own.
pub struct LocalUpstream {
    models: Vec<(Arc<Model>, Arc<Batcher>)>,
    /// Embeddings run beside the batchers, one at a time.
    embedding: Arc<Semaphore>,
}

impl LocalUpstream {
    /// Loads `folders` one after the other; blocks while it does.
    ///
    /// # Errors
    /// Names repeat, there are none or too many, or a folder does not load or has no tokenizer.
    pub fn load(
        folders: &[ModelFolder],
        options: &LoadOptions,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        if folders.is_empty() || folders.len() > MAX_MODELS {
            return Err(LoadError::Count(folders.len()));
        }
        for (index, folder) in folders.iter().enumerate() {
            if folders[..index].iter().any(|other| other.id == folder.id) {
                return Err(LoadError::Twice(folder.id.clone()));
            }
        }
        let models = folders
            .iter()
            .map(|folder| {
                open(folder, options, limits).map_err(|source| LoadError::Engine {
                    id: folder.id.clone(),
                    source,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            models,
            embedding: Arc::new(Semaphore::new(1)),
        })
    }

    fn batcher(&self, id: &str) -> Result<&Arc<Batcher>, Failure> {
        let found = self.models.iter().find(|(model, _)| model.id == id);
        found.map(|(_, batcher)| batcher).ok_or_else(|| {
            Failure::new(
                FailureKind::Unavailable,
                format!("'{id}' is not served here"),
            )
        })
    }
}

fn open(
    folder: &ModelFolder,
    options: &LoadOptions,
    limits: Limits,
) -> Result<(Arc<Model>, Arc<Batcher>), EngineError> {
    let engine = Engine::load_with(&folder.path, options)?;
    let model = Model {
        id: folder.id.clone(),
        aliases: Vec::new(),
        created: modified(&folder.path),
        owned_by: "local".into(),
        context: engine.config().max_position_embeddings,
        max_output: None,
        vocab_size: engine.config().vocab_size,
        embedding_size: Some(engine.config().hidden_size),
        eos_ids: engine.eos_ids().to_vec(),
        tokenizer: Arc::new(engine.tokenizer()?.clone()),
        chat: engine.assets().chat.clone(),
        defaults: engine.assets().generation.clone(),
        price: Price::default(),
    };
    let batcher = Batcher::new(Arc::new(engine), limits)?;
    Ok((Arc::new(model), Arc::new(batcher)))
}

/// When a folder's network was written, in seconds since 1970; 0 where the file system does not say.
fn modified(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("config.json"))
        .and_then(|file| file.modified())
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs())
}

fn failure(error: &EngineError) -> Failure {
    let kind = match error {
        EngineError::Busy { .. } => FailureKind::Busy,
        EngineError::Request { .. } => FailureKind::Invalid,
        _ => FailureKind::Internal,
    };
    Failure::new(kind, error.to_string())
}

fn failed(failure: Failure) -> BoxStream<'static, Event> {
    stream::once(async { Event::Failed(failure) }).boxed()
}

#[async_trait]
impl Upstream for LocalUpstream {
    fn models(&self) -> Vec<Arc<Model>> {
        self.models.iter().map(|(model, _)| model.clone()).collect()
    }

    fn generate(&self, request: Request, cancel: Cancel) -> BoxStream<'static, Event> {
        let batcher = match self.batcher(&request.model) {
            Ok(batcher) => batcher,
            Err(failure) => return failed(failure),
        };
        let prompt_tokens = request.prompt_ids.len() as u32;
        let wanted = GenerateRequest {
            prompt_ids: request.prompt_ids.to_vec(),
            sampling: request.sampling,
            fingerprint_seed: [0; 32],
        };
        // Unbounded because the batcher's thread must not wait; it holds `max_tokens` events at most.
        let (sender, receiver) = mpsc::unbounded_channel();
        let delivered = Arc::new(AtomicBool::new(false));
        let (tokens, any) = (sender.clone(), delivered.clone());
        let options = Options {
            // More than a byte holds is refused as what is more than can be told.
            top_logprobs: request
                .top_logprobs
                .map(|top| u8::try_from(top).unwrap_or(u8::MAX)),
            ..Options::default()
        };
        let submitted = batcher.submit_with(
            wanted,
            options,
            move |token| {
                any.store(true, Ordering::Relaxed);
                let id = token.id;
                let logprobs = token.logprobs.map(Into::into);
                let gone = tokens.send(Event::Token { id, logprobs }).is_err();
                match gone || cancel.is_cancelled() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
            move |outcome| {
                let event = match outcome {
                    Ok(made) => Event::Finished(Finished {
                        reason: made.finish_reason,
                        prompt_tokens,
                        output_tokens: made.output_ids.len() as u32,
                        price: 0,
                        operator: None,
                        session: None,
                        sequence: None,
                        receipt: None,
                    }),
                    Err(error) => Event::Failed(Failure {
                        delivered: delivered.load(Ordering::Relaxed),
                        ..failure(&error)
                    }),
                };
                // Nobody listens any more: nothing to tell.
                let _ = sender.send(event);
            },
        );
        match submitted {
            Err(error) => failed(failure(&error)),
            Ok(()) => stream::unfold(receiver, |mut receiver| async move {
                receiver.recv().await.map(|event| (event, receiver))
            })
            .boxed(),
        }
    }

    async fn embed(&self, model: &str, ids: Vec<u32>) -> Result<Embedding, Failure> {
        let engine = self.batcher(model)?.engine().clone();
        let stopped = |reason: String| Failure::new(FailureKind::Internal, reason);
        let turn = self.embedding.clone().acquire_owned().await;
        let turn = turn.map_err(|error| stopped(error.to_string()))?;
        let computed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            engine.embed(&ids)
        });
        match computed.await {
            Ok(Ok(vector)) => Ok(Embedding { vector, price: 0 }),
            Ok(Err(error)) => Err(failure(&error)),
            Err(error) => Err(stopped(format!("the embedding was broken off: {error}"))),
        }
    }
}
