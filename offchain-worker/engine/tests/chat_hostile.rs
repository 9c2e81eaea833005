//! A chat template is a program that nobody vouches for: whatever it does, it ends, within bounds,
//! in a prompt or an error.

mod common;

use chasqui_engine::chat::{MAX_MESSAGES, MAX_MESSAGE_BYTES};
use chasqui_engine::{ChatTemplate, Message};
use common::message;
use tempfile::TempDir;

fn render(source: &str, messages: &[Message]) -> chasqui_engine::Result<String> {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("chat_template.jinja"), source).unwrap();
    let tokens = r#"{"bos_token": "<|bos|>", "eos_token": "<|eos|>"}"#;
    std::fs::write(dir.path().join("tokenizer_config.json"), tokens).unwrap();
    ChatTemplate::from_dir(dir.path())?
        .unwrap()
        .render(messages, true)
}

/// The beginning of a template, to tell it from others.
fn short(source: &str) -> String {
    source.chars().take(120).collect()
}

fn hello() -> Vec<Message> {
    vec![Message::new("user", "hello")]
}

fn refusal(source: &str) -> String {
    let made = render(source, &hello());
    let Err(error) = made else {
        panic!("{}: made {} bytes", short(source), made.unwrap().len());
    };
    let error = error.to_string();
    assert!(
        error.contains("chat_template.jinja: chat template: "),
        "{error}"
    );
    assert!(error.len() < 1_000, "an error of {} bytes", error.len());
    error
}

// GIVEN templates that make text without end: by doubling in a loop, line by line, through a macro's
//       arguments, a loop's variable, a block, a list, lists of lists, replacement, joining,
//       indentation, or plain writing
// WHEN they are rendered
// THEN each ends in an error that says so
#[test]
fn text_without_end() {
    let many = "{% set a = a ~ a %}".repeat(60);
    let macros = "{% macro m(a, n) %}{% if n %}{{ m(a ~ a, n - 1) }}{% endif %}{% endmacro %}";
    let nest = "{% for a in [a ~ a ~ a ~ a ~ a ~ a ~ a ~ a] %}".repeat(14);
    let close = "{% endfor %}".repeat(14);
    let cases = [
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}".to_string(),
        format!("{{% set a = 'ab' %}}{many}"),
        format!("{macros}{{{{ m('abababab', 40) }}}}"),
        format!("{{% set a = 'abababab' %}}{nest}{close}"),
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set x %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = x %}{% endfor %}".into(),
        "{% set ns = namespace(x=['ab']) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}".into(),
        "{% set ns = namespace(x='ab') %}{% for i in range(30) %}{% set ns.x = [ns.x, ns.x, ns.x] %}{% endfor %}{{ ns.x }}".into(),
        "{% set ns = namespace(x='aaaa') %}{% for i in range(9) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}".into(),
        "{% set ns = namespace(x='aaaa') %}{% for i in range(9) %}{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}".into(),
        "{% set ns = namespace(x='aaaa') %}{% for i in range(40) %}{% set ns.x = ns.x.join([ns.x, ns.x]) %}{% endfor %}".into(),
        "{% set ns = namespace(x='aaaa') %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] | join(ns.x) %}{% endfor %}".into(),
        "{% set ns = namespace(x='\n\n\n\n') %}{% for i in range(40) %}{% set ns.x = ns.x.replace('\n', '\n\n') | indent(64, true, true) %}{% endfor %}".into(),
        format!("{{% for i in range(9000) %}}{}{{% endfor %}}", "x".repeat(60_000)),
        format!("{{% set a %}}{{% for i in range(9000) %}}{}{{% endfor %}}{{% endset %}}", "x".repeat(60_000)),
        format!("{{% macro m() %}}{}{{% endmacro %}}{{% set a %}}{{% for i in range(9000) %}}{{{{ m() }}}}{{% endfor %}}{{% endset %}}", "x".repeat(60_000)),
        format!("{{% set a %}}{}{{% endset %}}{{% set b = [{}] %}}", "x".repeat(90_000), "a|list,".repeat(60)),
        "{% for i in range(90000) %}{{ messages | tojson(indent=64) }}{% endfor %}".into(),
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x.split('') | tojson %}{% endfor %}".into(),
    ];
    for source in cases {
        let error = refusal(&source);
        assert!(
            error.contains("more text than the messages account for")
                || error.contains("nested too deeply"),
            "{}: {error}",
            short(&source)
        );
    }
}

// GIVEN templates that loop or call themselves without end
// WHEN they are rendered
// THEN each ends in an error that says so
#[test]
fn work_without_end() {
    let loops =
        "{% for a in range(999) %}{% for b in range(99) %}{% for c in 'abcdefghij' | list %}\
                 {% if c == 'k' %}{% endif %}{% endfor %}{% endfor %}{% endfor %}";
    let error = refusal(loops);
    assert!(
        error.contains("fuel") || error.contains("more text"),
        "{error}"
    );
    let calls = "{% macro m() %}{{ 1 + 1 == 2 and 2 + 2 == 4 }}{% endmacro %}\
                 {% for a in range(99999) %}{% set _ = m() ~ m() ~ m() ~ m() %}{% endfor %}";
    let error = refusal(calls);
    assert!(
        error.contains("fuel") || error.contains("more text"),
        "{error}"
    );
    let macros = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
    assert!(refusal(macros).contains("recursion"));
    let mutual =
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}";
    let error = refusal(mutual);
    assert!(
        error.contains("recursion") || error.contains("unknown"),
        "{error}"
    );
    let nested = "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}";
    assert!(refusal(nested).contains("nested too deeply"));
    let range = "{% for i in range(1000000000000) %}{% endfor %}";
    assert!(refusal(range).contains("range"));
}

// GIVEN values that would contain themselves, and be printed or compared without end
// WHEN they are made
// THEN the template is refused
#[test]
fn values_that_contain_themselves() {
    for source in [
        "{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.self = [ns] %}{{ ns == ns }}",
        "{% set a = namespace() %}{% set b = {'a': a} %}{% set a.b = b %}{{ a }}",
        "{% set ns = namespace() %}{% macro m() %}{{ ns }}{% endmacro %}{% set ns.m = m %}",
    ] {
        let error = refusal(source);
        assert!(error.contains("namespace"), "{source}: {error}");
    }
}

// GIVEN templates that would overflow the parser's stack or ask for what is not there
// WHEN they are compiled
// THEN they are refused with the line and the reason
#[test]
fn sources_that_are_refused() {
    let deep = |open: &str, close: &str, count: usize| {
        format!("{{{{ {}1{} }}}}", open.repeat(count), close.repeat(count))
    };
    let ifs = |count: usize| "{% if 1 %}".repeat(count) + &"{% endif %}".repeat(count);
    let cases: Vec<(String, &str)> = vec![
        (deep("(", ")", 5_000), "operations"),
        (deep("(", ")", 60), "nested brackets"),
        (deep("[", "]", 60), "nested brackets"),
        (deep("not ", "", 20_000), "operations"),
        (deep("- ", "", 50_000), "operations"),
        (deep("1 if 1 else ", "", 9_000), "operations"),
        (deep("1 + ", "", 30_000), "operations"),
        (ifs(5_000), "nested statements"),
        (
            format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(5_000)),
            "elif",
        ),
        ("{{ 'a' * 100000000 }}".into(), "`*`"),
        ("{{ 9 ** 9 ** 9 }}".into(), "`**`"),
        (
            "\n{% include 'x' %}".into(),
            "line 2: `{% include %}` is not supported",
        ),
        ("{% import 'x' as y %}".into(), "`{% import %}`"),
        ("{% extends 'x' %}".into(), "`{% extends %}`"),
        ("{% block x %}{% endblock %}".into(), "`{% block %}`"),
        ("{% with a = 1 %}{% endwith %}".into(), "`{% with %}`"),
        (
            "{% filter upper %}a{% endfilter %}".into(),
            "`{% filter %}`",
        ),
        (
            "{% for a in [] recursive %}{% endfor %}".into(),
            "`recursive`",
        ),
        ("{% for a in [] %}".into(), "no end"),
        ("{% if %}".into(), "line 1"),
        ("{{ 'a' | pprint }}".into(), "pprint"),
        ("{{ 'a'.format() }}".into(), "no method"),
        ("{{ nothing.at.all }}".into(), "line 1"),
        ("{{ 1 // 0 }}".into(), "line 1"),
        ("{{ '\\ud800' }}".into(), "chat template"),
        ("x".repeat(200_000), "bytes"),
    ];
    for (source, reason) in cases {
        let error = message(render(&source, &hello()));
        assert!(error.contains(reason), "{}: {error}", short(&source));
        assert!(error.contains("chat_template.jinja"), "{error}");
    }
}

// GIVEN chats without a message, with too many, with too long ones
// WHEN they are rendered
// THEN the error says so before the template runs
#[test]
fn chats_out_of_bounds() {
    let render = |messages: &[Message]| message(render("x", messages));
    assert!(render(&[]).contains("`messages`: is empty"));
    let many = vec![Message::new("user", "x"); MAX_MESSAGES + 1];
    assert!(render(&many).contains("at most 1024"));
    let long = [Message::new("user", "x".repeat(MAX_MESSAGE_BYTES))];
    assert!(render(&long).contains("at most 1048576"));
}

// GIVEN a chat as large as the bounds allow, on templates that collect it before they write it
// WHEN it is rendered
// THEN the bounds on templates leave room for it
#[test]
fn large_chats_fit() {
    let messages: Vec<Message> = (0..MAX_MESSAGES)
        .map(|index| {
            let role = if index % 2 == 0 { "user" } else { "assistant" };
            Message::new(role, "ñandú ".repeat(120))
        })
        .collect();
    let bytes: usize = messages.iter().map(|m| m.content.len()).sum();
    for name in ["headers", "thinking", "instructions", "plain"] {
        let path = format!("{}/tests/chat/{name}.jinja", env!("CARGO_MANIFEST_DIR"));
        let prompt = render(&std::fs::read_to_string(path).unwrap(), &messages).unwrap();
        assert!(prompt.len() > bytes * 9 / 10, "{name}: {}", prompt.len());
    }
}
