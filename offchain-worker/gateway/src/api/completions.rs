//! `/v1/chat/completions` and `/v1/completions`: parse, take a turn, set money aside, generate,
//! answer.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chasqui_engine::Sampling;

use super::answer::{Endpoint, Frame};
use super::fields::Fields;
use super::guard::fresh_id;
use super::sampling::Options;
use super::{chat, prompts, request, stream};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::generation::{self, Choice, Piece, Plan};
use crate::upstream::Model;

/// Output tokens of a completion whose client says nothing, as with OpenAI.
const OPEN_COMPLETION: u32 = 16;

/// A request as it will be generated.
struct Parsed {
    options: Options,
    top_logprobs: Option<usize>,
    /// One entry a choice, those of one prompt together.
    choices: Vec<(Arc<[u32]>, Sampling)>,
    /// Tokens of all prompts, each counted once.
    prompt_tokens: usize,
}

/// `POST /v1/chat/completions`.
pub async fn chat(state: State<Arc<Gateway>>, request: Request) -> Response {
    serve(state, request, Endpoint::Chat).await
}

/// `POST /v1/completions`.
pub async fn completions(state: State<Arc<Gateway>>, request: Request) -> Response {
    serve(state, request, Endpoint::Completions).await
}

async fn serve(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    endpoint: Endpoint,
) -> Response {
    match answer(&gateway, request, endpoint).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

fn parse(
    fields: Fields<'_>,
    model: &Model,
    gateway: &Gateway,
    endpoint: Endpoint,
) -> Result<Parsed, ApiError> {
    let limits = &gateway.limits;
    let options = Options::read(fields, model, limits)?;
    let (param, top_logprobs, prompts, open) = match endpoint {
        Endpoint::Chat => {
            let top = chat::top_logprobs(fields)?;
            let makers = model.defaults.max_new_tokens;
            let open = makers.unwrap_or(limits.max_tokens).min(limits.max_tokens);
            (
                "messages",
                top,
                vec![chat::prompt(fields, model, limits)?],
                open,
            )
        }
        Endpoint::Completions => {
            let top = prompts::top_logprobs(fields)?;
            let prompts = prompts::read(fields, "prompt", model, limits.choices)?;
            (
                "prompt",
                top,
                prompts,
                OPEN_COMPLETION.min(limits.max_tokens),
            )
        }
    };
    let count = prompts.len().saturating_mul(options.n);
    if count > limits.choices {
        return Err(ApiError::invalid(
            "n",
            format!(
                "{} prompts with `n` = {} make {count} choices; this gateway gives at most {} a request.",
                prompts.len(),
                options.n,
                limits.choices
            ),
        ));
    }
    let prompt_tokens = prompts.iter().map(Vec::len).sum();
    let mut choices = Vec::with_capacity(count);
    for prompt in prompts {
        let prompt: Arc<[u32]> = prompt.into();
        for index in 0..options.n {
            let sampling = options.sampling(model, param, prompt.len(), open, index)?;
            choices.push((prompt.clone(), sampling));
        }
    }
    Ok(Parsed {
        options,
        top_logprobs,
        choices,
        prompt_tokens,
    })
}

async fn answer(
    gateway: &Arc<Gateway>,
    request: Request,
    endpoint: Endpoint,
) -> Result<Response, ApiError> {
    let read = request::read(gateway, request, move |fields, model, gateway| {
        parse(fields, model, gateway, endpoint)
    });
    let (key, model, parsed) = read.await?;
    if gateway.closing.is_cancelled() {
        return Err(ApiError::unavailable("The gateway is stopping."));
    }
    let turn = gateway.admission.admit(&key).await?;
    let mut choices = Vec::with_capacity(parsed.choices.len());
    for (index, (prompt_ids, sampling)) in parsed.choices.into_iter().enumerate() {
        let most = sampling.max_tokens as usize;
        let most = gateway.most(&model.id, prompt_ids.len(), most);
        choices.push(Choice {
            index,
            reservation: key.reserve(most)?,
            prompt_ids,
            sampling,
        });
    }
    let frame = Frame {
        endpoint,
        id: fresh_id(match endpoint {
            Endpoint::Chat => "chatcmpl-",
            Endpoint::Completions => "cmpl-",
        })?,
        created: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        model: model.id.clone(),
        logprobs: parsed.top_logprobs.is_some(),
        include_usage: parsed.options.include_usage,
        prompt_tokens: parsed.prompt_tokens,
    };
    tracing::debug!(id = %frame.id, key = %key.name, model = %model.id, choices = choices.len(), "generating");
    let plan = Plan {
        model,
        stops: parsed.options.stops.clone(),
        top_logprobs: parsed.top_logprobs,
    };
    let count = choices.len();
    let mut pieces = generation::start(gateway, &plan, choices, turn);
    if !parsed.options.stream {
        let whole = stream::gather(&frame, count, pieces).await?;
        return Ok(super::json(&whole));
    }
    let waited = tokio::time::timeout(gateway.limits.status_wait, pieces.recv()).await;
    let first = match waited {
        Ok(Some((_, Piece::Failed(error)))) => return Err(*error),
        Ok(first) => first,
        Err(_) => None,
    };
    let keep_alive = gateway.limits.keep_alive;
    Ok(stream::events(frame, count, first, pieces, keep_alive))
}
