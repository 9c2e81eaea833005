//! The answers' JSON, whole and in chunks, for chat and for completions.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use serde_json::{json, Map, Value};

use crate::generation::Outcome;
use crate::text::{Release, ScoredToken};

/// Which of the two endpoints answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

/// What all objects of one answer have in common.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Which shape.
    pub endpoint: Endpoint,
    /// The answer's id.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// Whether log-probabilities were asked for.
    pub logprobs: bool,
    /// Whether chunks carry `usage`.
    pub include_usage: bool,
    /// Tokens of all prompts, each counted once.
    pub prompt_tokens: usize,
}

/// One choice of a whole answer.
#[derive(Debug, Default)]
pub struct Whole {
    /// All of its text.
    pub text: String,
    /// All of its scored tokens.
    pub tokens: Vec<ScoredToken>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Frame {
    fn object(&self, object: &str, choices: Value) -> Map<String, Value> {
        let value = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn logprobs(&self, tokens: &[ScoredToken]) -> Value {
        match (self.logprobs, self.endpoint) {
            (false, _) => Value::Null,
            (true, Endpoint::Chat) => {
                let content: Vec<Value> = tokens.iter().map(chat_token).collect();
                json!({ "content": content, "refusal": null })
            }
            (true, Endpoint::Completions) => {
                let each = |of: fn(&ScoredToken) -> Value| tokens.iter().map(of).collect();
                let [text, logprob, top, offset]: [Vec<Value>; 4] = [
                    each(|token| json!(token.text)),
                    each(|token| json!(token.logprob)),
                    each(top_of_completion),
                    each(|token| json!(token.offset)),
                ];
                json!({
                    "tokens": text,
                    "token_logprobs": logprob,
                    "top_logprobs": top,
                    "text_offset": offset,
                })
            }
        }
    }

    /// The counts of an answer.
    pub fn usage(&self, outcomes: &[(usize, Outcome)]) -> Value {
        let output: u64 = outcomes.iter().map(|(_, one)| u64::from(one.tokens)).sum();
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": output,
            "total_tokens": self.prompt_tokens as u64 + output,
        })
    }

    /// A whole answer.
    pub fn whole(&self, choices: Vec<Whole>) -> Value {
        let mut outcomes = Vec::new();
        let mut shown = Vec::new();
        for (index, choice) in choices.into_iter().enumerate() {
            let logprobs = self.logprobs(&choice.tokens);
            let finish = choice.outcome.as_ref().map(|outcome| outcome.finish);
            shown.push(match self.endpoint {
                Endpoint::Chat => json!({
                    "index": index,
                    "message": { "role": "assistant", "content": choice.text, "refusal": null },
                    "logprobs": logprobs,
                    "finish_reason": finish,
                }),
                Endpoint::Completions => json!({
                    "index": index,
                    "text": choice.text,
                    "logprobs": logprobs,
                    "finish_reason": finish,
                }),
            });
            outcomes.extend(choice.outcome.map(|outcome| (index, outcome)));
        }
        let object = match self.endpoint {
            Endpoint::Chat => "chat.completion",
            Endpoint::Completions => "text_completion",
        };
        let mut answer = self.object(object, Value::Array(shown));
        answer.insert("usage".into(), self.usage(&outcomes));
        answer.insert("chasqui".into(), extension(&outcomes));
        Value::Object(answer)
    }

    fn chunk(&self, choices: Value) -> Map<String, Value> {
        let object = match self.endpoint {
            Endpoint::Chat => "chat.completion.chunk",
            Endpoint::Completions => "text_completion",
        };
        let mut chunk = self.object(object, choices);
        if self.include_usage {
            chunk.insert("usage".into(), Value::Null);
        }
        chunk
    }

    /// A chunk with text. `first` is the choice's first.
    pub fn text(&self, index: usize, release: &Release, first: bool) -> Value {
        let logprobs = self.logprobs(&release.tokens);
        let choice = match self.endpoint {
            Endpoint::Chat => {
                let mut delta = json!({ "content": release.text });
                if first {
                    delta["role"] = json!("assistant");
                }
                json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null })
            }
            Endpoint::Completions => {
                json!({ "index": index, "text": release.text, "logprobs": logprobs, "finish_reason": null })
            }
        };
        Value::Object(self.chunk(json!([choice])))
    }

    /// A choice's last chunk; the answer's last one carries the extension.
    pub fn end(&self, index: usize, outcome: &Outcome, extension: Option<Value>) -> Value {
        let finish = outcome.finish;
        let choice = match self.endpoint {
            Endpoint::Chat => {
                json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": finish })
            }
            Endpoint::Completions => {
                json!({ "index": index, "text": "", "logprobs": null, "finish_reason": finish })
            }
        };
        let mut chunk = self.chunk(json!([choice]));
        if let Some(extension) = extension {
            chunk.insert("chasqui".into(), extension);
        }
        Value::Object(chunk)
    }

    /// The chunk with the counts, where the client asked for them: the answer's last.
    pub fn counts(&self, outcomes: &[(usize, Outcome)]) -> Value {
        let mut chunk = self.chunk(json!([]));
        chunk.insert("usage".into(), self.usage(outcomes));
        chunk.insert("chasqui".into(), extension(outcomes));
        Value::Object(chunk)
    }
}

/// What is Chasqui's own about an answer: seed, price, and where it was paid and signed.
pub fn extension(outcomes: &[(usize, Outcome)]) -> Value {
    let price = outcomes.iter().fold(0u128, |sum, (_, one)| {
        sum.saturating_add(one.finished.price)
    });
    let choices: Vec<Value> = outcomes
        .iter()
        .map(|(index, outcome)| {
            let account = &outcome.finished;
            json!({
                "index": index,
                // JSON's numbers end at 2^53.
                "seed": outcome.seed.to_string(),
                "price": account.price.to_string(),
                "prompt_tokens": account.prompt_tokens,
                "output_tokens": account.output_tokens,
                "operator": account.operator,
                "session": account.session,
                "sequence": account.sequence,
                "receipt": account.receipt.as_ref().map(|bytes| STANDARD.encode(bytes)),
            })
        })
        .collect();
    json!({ "price": price.to_string(), "choices": choices })
}

fn chat_token(token: &ScoredToken) -> Value {
    let top: Vec<Value> = token
        .top
        .iter()
        .map(|top| json!({ "token": top.text, "logprob": top.logprob, "bytes": top.bytes }))
        .collect();
    json!({ "token": token.text, "logprob": token.logprob, "bytes": token.bytes, "top_logprobs": top })
}

fn top_of_completion(token: &ScoredToken) -> Value {
    let mut top = Map::new();
    for one in &token.top {
        // Tokens whose texts are alike (parts of characters) share a name: the likeliest has it.
        top.entry(&one.text).or_insert_with(|| json!(one.logprob));
    }
    Value::Object(top)
}
