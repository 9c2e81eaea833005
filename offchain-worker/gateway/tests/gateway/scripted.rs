//! An upstream that does what a test says, at a price: what a model on this machine never does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chasqui_engine::FinishReason;
use chasqui_gateway::upstream::{
    Cancel, Embedding, Event, Failure, FailureKind, Finished, Model, Price, Request,
};
use chasqui_gateway::Upstream;
use futures::stream::BoxStream;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::server::{local, PLAIN};

/// What happens next in a generation.
#[derive(Debug, Clone)]
pub enum Step {
    /// Tokens that say this.
    Say(&'static str),
    /// So many tokens, one every five milliseconds.
    Slowly(usize),
    /// Nothing, until it is cancelled.
    Silence,
    /// A pause.
    Pause(Duration),
    /// A failure.
    Fail(FailureKind),
    /// The stream ends without a word.
    Vanish,
}

pub struct Scripted {
    model: Arc<Model>,
    steps: Vec<Step>,
    /// Generations that were begun.
    pub calls: AtomicUsize,
    /// What the last one was asked for.
    pub last: Mutex<Option<Request>>,
    /// Tokens of cancelled generations.
    pub cancelled_at: Arc<Mutex<Vec<usize>>>,
}

impl Scripted {
    /// Every token costs `price` planck; after the steps the generation ends by itself.
    pub fn new(price: u128, steps: &[Step]) -> Arc<Self> {
        let models = local().models();
        let model = models.iter().find(|model| model.id == PLAIN).unwrap();
        let price = Price {
            prompt: price,
            output: price,
        };
        Arc::new(Self {
            model: Arc::new(Model {
                price,
                ..Model::clone(model)
            }),
            steps: steps.to_vec(),
            calls: AtomicUsize::new(0),
            last: Mutex::default(),
            cancelled_at: Arc::default(),
        })
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Upstream for Scripted {
    fn models(&self) -> Vec<Arc<Model>> {
        vec![self.model.clone()]
    }

    fn generate(&self, request: Request, cancel: Cancel) -> BoxStream<'static, Event> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        *self.last.lock().unwrap() = Some(request.clone());
        let (sender, receiver) = mpsc::unbounded_channel();
        let (model, steps, stopped) = (
            self.model.clone(),
            self.steps.clone(),
            self.cancelled_at.clone(),
        );
        tokio::spawn(async move {
            let mut sent = 0;
            let say = |id: u32, sent: &mut usize| {
                *sent += 1;
                let _ = sender.send(Event::Token { id, logprobs: None });
            };
            let finished = |reason, sent: usize| {
                let prompt = request.prompt_ids.len();
                let _ = sender.send(Event::Finished(Finished {
                    reason,
                    prompt_tokens: prompt as u32,
                    output_tokens: sent as u32,
                    price: model.price.of(prompt, sent),
                    operator: Some("5Operator".into()),
                    session: Some("0xsession".into()),
                    sequence: Some(7),
                    receipt: Some(b"receipt".to_vec()),
                }));
            };
            for step in steps {
                match step {
                    Step::Say(text) => {
                        for id in model.tokenizer.encode(text, false).unwrap() {
                            say(id, &mut sent);
                        }
                    }
                    Step::Slowly(count) => {
                        let id = model.tokenizer.encode(" a", false).unwrap()[0];
                        for _ in 0..count {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            if cancel.is_cancelled() {
                                break;
                            }
                            say(id, &mut sent);
                        }
                    }
                    Step::Silence => cancel.cancelled().await,
                    Step::Pause(time) => tokio::time::sleep(time).await,
                    Step::Fail(kind) => {
                        let failure = Failure::new(kind, "as the test says");
                        let _ = sender.send(Event::Failed(failure));
                        return;
                    }
                    Step::Vanish => return,
                }
                if cancel.is_cancelled() {
                    stopped.lock().unwrap().push(sent);
                    return finished(FinishReason::Cancelled, sent);
                }
            }
            finished(FinishReason::Stop, sent);
        });
        futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|event| (event, receiver))
        })
        .boxed()
    }

    async fn embed(&self, _: &str, ids: Vec<u32>) -> Result<Embedding, Failure> {
        match self.steps.first() {
            Some(Step::Fail(kind)) => Err(Failure::new(*kind, "as the test says")),
            _ => Ok(Embedding {
                vector: vec![1.0],
                price: self.model.price.of(ids.len(), 0),
            }),
        }
    }
}
