//! Log-probabilities, in the two shapes that OpenAI's clients know.

use serde_json::{json, Value};

use super::server::{plain, Reply, MODEL, PLAIN};

fn bytes(value: &Value) -> Vec<u8> {
    let list = value.as_array().unwrap();
    list.iter()
        .map(|byte| byte.as_u64().unwrap() as u8)
        .collect()
}

/// The log-probabilities of a chat's stream, all chunks together.
fn gathered(reply: &Reply) -> Vec<Value> {
    let events = reply.events();
    let contents = events
        .iter()
        .filter_map(|event| event["choices"][0]["logprobs"]["content"].as_array());
    contents.flatten().cloned().collect()
}

// GIVEN a greedy chat with log-probabilities
// WHEN it is asked for whole and as a stream
// THEN both have one entry a token, whose bytes are the text, and the chosen token is the likeliest
#[tokio::test]
async fn a_chat_s_log_probabilities_spell_its_text() {
    let server = plain().await;
    let mut body = json!({
        "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }], "temperature": 0, "max_tokens": 12,
        "logprobs": true, "top_logprobs": 3,
    });
    let answer = server.chat(body.clone()).await.json();
    let choice = &answer["choices"][0];
    let content = choice["logprobs"]["content"].as_array().unwrap();
    assert_eq!(content.len(), 12);
    let spelled: Vec<u8> = content
        .iter()
        .flat_map(|token| bytes(&token["bytes"]))
        .collect();
    assert_eq!(
        String::from_utf8(spelled).unwrap(),
        *choice["message"]["content"].as_str().unwrap()
    );
    for token in content {
        let top = token["top_logprobs"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        assert_eq!(top[0]["token"], token["token"]);
        assert_eq!(top[0]["logprob"], token["logprob"]);
        let logprobs: Vec<f64> = top
            .iter()
            .map(|one| one["logprob"].as_f64().unwrap())
            .collect();
        assert!(
            logprobs[0] <= 0.0 && logprobs.is_sorted_by(|a, b| a >= b),
            "{logprobs:?}"
        );
    }
    body["stream"] = json!(true);
    assert_eq!(gathered(&server.chat(body.clone()).await), *content);

    // A stop string cuts both alike.
    let text = choice["message"]["content"].as_str().unwrap();
    let word = text.split_whitespace().nth(3).unwrap();
    body["stop"] = json!(word);
    let cut = gathered(&server.chat(body).await);
    let before = text.find(word).unwrap();
    let spelled: Vec<u8> = cut
        .iter()
        .flat_map(|token| bytes(&token["bytes"]))
        .collect();
    assert!(!cut.is_empty() && cut.len() < 12);
    assert!(
        text.as_bytes().starts_with(&spelled[..before]),
        "{spelled:?}"
    );
    server.stop().await;
}

// GIVEN a completion with log-probabilities
// WHEN it is asked for
// THEN it has the older shape: four lists, offsets in characters
#[tokio::test]
async fn a_completion_s_log_probabilities_are_lists() {
    let server = plain().await;
    let body = json!({
        "model": PLAIN, "prompt": "Once upon a time", "temperature": 0, "max_tokens": 6, "logprobs": 2,
    });
    let answer = server.complete(body).await.json();
    let logprobs = &answer["choices"][0]["logprobs"];
    let list = |name: &str| logprobs[name].as_array().unwrap().clone();
    let (tokens, offsets, tops) = (list("tokens"), list("text_offset"), list("top_logprobs"));
    assert_eq!((tokens.len(), offsets.len(), tops.len()), (6, 6, 6));
    let mut offset = 0;
    for (index, token) in tokens.iter().enumerate() {
        assert_eq!(offsets[index], offset);
        offset += token.as_str().unwrap().chars().count();
        let top = tops[index].as_object().unwrap();
        assert_eq!(top.len(), 2);
        assert_eq!(top[token.as_str().unwrap()], list("token_logprobs")[index]);
    }
    server.stop().await;
}

// GIVEN wishes that contradict each other or exceed what is computed
// WHEN they are sent
// THEN each is refused by name
#[tokio::test]
async fn impossible_wishes_are_refused() {
    let server = plain().await;
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let body = json!({ "model": MODEL, "messages": messages, "top_logprobs": 2 });
    server
        .chat(body)
        .await
        .error(400, "invalid_value", "top_logprobs");
    let body =
        json!({ "model": MODEL, "messages": messages, "logprobs": true, "top_logprobs": 21 });
    server
        .chat(body)
        .await
        .error(400, "invalid_value", "top_logprobs");
    let body = json!({ "model": PLAIN, "prompt": "a", "logprobs": 21 });
    server
        .complete(body)
        .await
        .error(400, "invalid_value", "logprobs");
    server.stop().await;
}
