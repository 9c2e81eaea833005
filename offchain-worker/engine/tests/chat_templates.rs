//! Chat templates render as the reference implementation renders them. `chat/expected.json` holds
//! what it made (`chat/make.py`) of templates with the idioms of the published ones.

mod common;

use std::path::Path;

use chasqui_engine::{ChatTemplate, Engine, Message};
use common::{edit_json, golden_copy, message};
use serde_json::{json, Value};
use tempfile::TempDir;

/// A folder with only `tokenizer_config.json`.
fn folder(config: &Value) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    dir
}

fn template(source: &str) -> ChatTemplate {
    let config = json!({
        "bos_token": "<|bos|>",
        "eos_token": {"content": "<|eos|>", "special": true},
        "chat_template": source,
    });
    ChatTemplate::from_dir(folder(&config).path())
        .unwrap()
        .unwrap()
}

fn said(text: &str) -> Vec<Message> {
    vec![Message::new("user", text)]
}

// GIVEN templates in the manner of Llama 3, Qwen, Mistral and ChatML, and one with every idiom that
//       such templates use; chats with and without system message, with several turns, in disorder
// WHEN they are rendered, with and without the beginning of an answer
// THEN every prompt is the reference's, and what it refuses is refused with the template's reason
#[test]
fn prompts_are_those_of_the_reference() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chat");
    let text = std::fs::read(dir.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    let mut compared = 0;
    for case in expected["cases"].as_array().unwrap() {
        let name = case["template"].as_str().unwrap();
        let template =
            template(&std::fs::read_to_string(dir.join(format!("{name}.jinja"))).unwrap());
        let field = |message: &Value, name: &str| message[name].as_str().unwrap().to_string();
        let messages: Vec<Message> = case["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| Message::new(field(m, "role"), field(m, "content")))
            .collect();
        let made = template.render(&messages, case["prompted"].as_bool().unwrap());
        match case["expected"].as_str() {
            Some(prompt) => assert_eq!(made.unwrap(), prompt, "{name} {}", case["chat"]),
            None => {
                let reason = case["refused"].as_str().unwrap();
                let error = message(made);
                assert!(error.contains(reason), "{name}: {error}, not {reason}");
                assert!(error.contains("tokenizer_config.json"), "{error}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 70);
}

// GIVEN a template that writes the beginning-of-sequence token, on a model whose tokenizer knows it
// WHEN a chat becomes token ids
// THEN the special tokens are single ids, and none is doubled
#[test]
fn special_tokens_are_not_doubled() {
    let dir = golden_copy("llama-mha-tied");
    edit_json(&dir.path().join("tokenizer_config.json"), |config| {
        config["chat_template"] =
            "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\
             {% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
                .into();
    });
    let engine = Engine::load(dir.path(), "cpu").unwrap();
    let ids = engine.chat_prompt(&said("vote")).unwrap();
    let tokenizer = engine.tokenizer().unwrap();
    let (bos, eos) = (
        tokenizer.token_id("<|bos|>").unwrap(),
        tokenizer.token_id("<|eos|>").unwrap(),
    );
    assert_eq!(ids[0], bos);
    assert_eq!(ids.iter().filter(|id| **id == bos).count(), 1);
    assert_eq!(ids.iter().filter(|id| **id == eos).count(), 1);
    let text = tokenizer.decode(&ids, false).unwrap();
    assert_eq!(text, "<|bos|>user: vote<|eos|>assistant:");
}

// GIVEN a template that asks for today's date
// WHEN it is rendered
// THEN it gets one, in the notation it asked for
#[test]
fn dates_are_given() {
    let template = template("{{ strftime_now('%d %b %Y') if strftime_now is defined }}");
    let date = template.render(&said("x"), true).unwrap();
    let parts: Vec<&str> = date.split(' ').collect();
    assert_eq!(parts.len(), 3, "{date}");
    assert!(parts[2].parse::<u32>().unwrap() >= 2024, "{date}");
}

// GIVEN the places where a folder may hold a template: a file of its own, a string, a list of named
//       ones, none; and special tokens in a file of their own
// WHEN it is looked for
// THEN the file goes first, of named ones `default` is taken, and without any there is none
#[test]
fn templates_are_found() {
    let listed = json!({"chat_template": [
        {"name": "tool_use", "template": "tools"},
        {"name": "default", "template": "listed {{ bos_token }}"},
    ]});
    let dir = folder(&listed);
    let tokens = json!({"bos_token": {"content": "<s>"}});
    std::fs::write(
        dir.path().join("special_tokens_map.json"),
        tokens.to_string(),
    )
    .unwrap();
    let render = |dir: &TempDir| {
        let template = ChatTemplate::from_dir(dir.path()).unwrap().unwrap();
        template.render(&said("x"), true).unwrap()
    };
    assert_eq!(render(&dir), "listed <s>");
    std::fs::write(dir.path().join("chat_template.jinja"), "file").unwrap();
    assert_eq!(render(&dir), "file");

    assert!(ChatTemplate::from_dir(folder(&json!({})).path())
        .unwrap()
        .is_none());
    assert!(ChatTemplate::from_dir(TempDir::new().unwrap().path())
        .unwrap()
        .is_none());
    let unnamed = json!({"chat_template": [{"name": "rag", "template": "x"}]});
    let error = message(ChatTemplate::from_dir(folder(&unnamed).path()));
    assert!(
        error.contains("`chat_template`") && error.contains("`default`"),
        "{error}"
    );
}

// GIVEN a model without a chat template
// WHEN a chat is asked for
// THEN the error says where one is missing
#[test]
fn models_without_a_template() {
    let engine = Engine::load(&common::golden("llama-mha-tied"), "cpu").unwrap();
    let error = message(engine.chat_prompt(&said("x")));
    assert!(
        error.contains("tokenizer_config.json: chat template: is missing"),
        "{error}"
    );
}
