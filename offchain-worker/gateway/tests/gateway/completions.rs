//! Completions: prompts in every shape, several choices, what an answer tells about itself.

use chasqui_engine::Sampling;
use chasqui_gateway::api::sampling::choice_seed;
use serde_json::json;

use super::chat::{said_after, warm};
use super::scripted::{Scripted, Step};
use super::server::{engine, plain, with, PLAIN};
use chasqui_gateway::Limits;

const PROMPT: &str = "Once upon a time";

// GIVEN one prompt as text, as a list, as token ids and as a list of those
// WHEN each is completed
// THEN all have the model's completion; a list of two has two choices, in order
#[tokio::test]
async fn a_prompt_in_any_shape_is_completed() {
    let server = plain().await;
    let ids = engine().tokenizer().unwrap().encode(PROMPT, true).unwrap();
    let (expected, _) = said_after(PROMPT, true, Sampling::greedy(12));
    for prompt in [json!(PROMPT), json!([PROMPT]), json!(ids), json!([ids])] {
        let body = json!({ "model": PLAIN, "prompt": prompt, "max_tokens": 12, "temperature": 0 });
        let answer = server.complete(body).await.json();
        assert_eq!(answer["object"], "text_completion");
        assert_eq!(answer["choices"][0]["text"], *expected);
        assert_eq!(answer["usage"]["prompt_tokens"], ids.len());
    }
    let (other, _) = said_after("Dear Nina,", true, Sampling::greedy(12));
    let body = json!({ "model": PLAIN, "prompt": [PROMPT, "Dear Nina,"], "max_tokens": 12, "temperature": 0 });
    let answer = server.complete(body).await.json();
    assert_eq!(answer["choices"][0]["text"], *expected);
    assert_eq!(answer["choices"][1]["text"], *other);
    assert_eq!(answer["choices"][1]["index"], 1);
    server.stop().await;
}

// GIVEN a seed and several choices
// WHEN they are asked for whole and as a stream
// THEN choice i is the model's completion under the documented seed of i, and the extension tells it
#[tokio::test]
async fn several_choices_have_seeds_of_their_own() {
    let server = plain().await;
    let mut body = json!({
        "model": PLAIN, "prompt": PROMPT, "max_tokens": 10, "temperature": 0.7, "top_p": 0.9, "seed": 5, "n": 3,
    });
    let expected: Vec<String> = (0..3)
        .map(|index| said_after(PROMPT, true, warm(choice_seed(5, index), 10)).0)
        .collect();
    let answer = server.complete(body.clone()).await.json();
    for (index, expected) in expected.iter().enumerate() {
        assert_eq!(answer["choices"][index]["text"], **expected);
        let seed = choice_seed(5, index).to_string();
        assert_eq!(answer["chasqui"]["choices"][index]["seed"], *seed);
    }
    assert_eq!(answer["usage"]["completion_tokens"], 30);

    body["stream"] = json!(true);
    let mut texts = vec![String::new(); 3];
    let events = server.complete(body).await.events();
    for event in &events {
        let choice = &event["choices"][0];
        texts[choice["index"].as_u64().unwrap() as usize] += choice["text"].as_str().unwrap();
    }
    assert_eq!(texts, expected);
    let told = events.last().unwrap()["chasqui"]["choices"]
        .as_array()
        .unwrap();
    assert_eq!(told.len(), 3);
    server.stop().await;
}

// GIVEN no seed
// WHEN a warm completion is asked for twice
// THEN the two differ, and the seed that the answer tells gives the same answer again
#[tokio::test]
async fn the_seed_of_an_answer_repeats_it() {
    let server = plain().await;
    let mut body = json!({ "model": PLAIN, "prompt": PROMPT, "max_tokens": 24, "temperature": 2 });
    let first = server.complete(body.clone()).await.json();
    let second = server.complete(body.clone()).await.json();
    assert_ne!(first["choices"][0]["text"], second["choices"][0]["text"]);
    let seed: u64 = first["chasqui"]["choices"][0]["seed"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    body["seed"] = json!(seed);
    let again = server.complete(body).await.json();
    assert_eq!(first["choices"], again["choices"]);
    server.stop().await;
}

// GIVEN nothing about the length
// WHEN a completion is asked for
// THEN it has OpenAI's 16 tokens
#[tokio::test]
async fn an_open_completion_has_sixteen_tokens() {
    let server = plain().await;
    let body = json!({ "model": PLAIN, "prompt": PROMPT, "temperature": 0 });
    let answer = server.complete(body).await.json();
    assert_eq!(answer["usage"]["completion_tokens"], 16);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    server.stop().await;
}

// GIVEN an upstream with prices and receipts
// WHEN a completion ends
// THEN the extension carries operator, session, sequence, price and receipt
#[tokio::test]
async fn the_extension_carries_price_and_receipt() {
    let scripted = Scripted::new(3, &[Step::Say(" and so on.")]);
    let server = with(vec![scripted.clone()], Limits::default()).await;
    let answer = server
        .complete(json!({ "model": PLAIN, "prompt": PROMPT }))
        .await
        .json();
    assert_eq!(answer["choices"][0]["text"], " and so on.");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let told = &answer["chasqui"]["choices"][0];
    let tokens = answer["usage"]["total_tokens"].as_u64().unwrap();
    assert_eq!(told["price"], (3 * tokens).to_string());
    assert_eq!(answer["chasqui"]["price"], told["price"]);
    assert_eq!(told["operator"], "5Operator");
    assert_eq!(told["session"], "0xsession");
    assert_eq!(told["sequence"], 7);
    assert_eq!(told["receipt"], "cmVjZWlwdA==");
    server.stop().await;
}
