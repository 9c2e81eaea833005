//! Chat templates: messages to a prompt, as `transformers` renders them.
//!
//! The template is a Jinja program out of the model folder. It runs within bounds that neither
//! the folder nor the messages can move, and what it leaves undone (a template that is missing or
//! refuses the messages) is an error with its reason.

mod limits;
mod python;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{context, Value};
use serde_json::Value as Json;

use crate::config::Fields;
use crate::error::{EngineError, Result};
use crate::files::{read_bounded, MAX_TOKENIZER_CONFIG_BYTES};
use crate::generate::Engine;
use limits::{Budget, MAX_TEMPLATE_BYTES};

/// Most messages of a chat.
pub const MAX_MESSAGES: usize = 1_024;
/// Most bytes of all roles and contents together.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Longest prompt in bytes that a template may make.
pub const MAX_PROMPT_BYTES: usize = 4 << 20;

const TEMPLATE_FILE: &str = "chat_template.jinja";
const CONFIG_FILE: &str = "tokenizer_config.json";
const SPECIAL_TOKENS_FILE: &str = "special_tokens_map.json";

/// Special tokens that templates know by name.
const SPECIAL_TOKENS: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, or what else the model's template knows.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }
}

/// A model folder's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    /// The file that holds it.
    path: PathBuf,
    /// Special tokens by the names that templates use.
    tokens: Vec<(&'static str, String)>,
}

impl ChatTemplate {
    /// The template of a model folder: `chat_template.jinja`, or `chat_template` of
    /// `tokenizer_config.json` (of several named ones, `default`). `None` where there is none.
    ///
    /// # Errors
    /// A file is unreadable or too large, or does not hold a template where one should be.
    pub fn from_dir(dir: &Path) -> Result<Option<Self>> {
        let config_path = dir.join(CONFIG_FILE);
        let config = match config_path.exists() {
            true => Some(Fields::from_file(&config_path, MAX_TOKENIZER_CONFIG_BYTES)?),
            false => None,
        };
        let path = dir.join(TEMPLATE_FILE);
        let (source, path) = if path.exists() {
            let bytes = read_bounded(&path, MAX_TEMPLATE_BYTES as u64)?;
            let source = String::from_utf8(bytes).map_err(|_| EngineError::ChatTemplate {
                path: path.clone(),
                reason: "is not UTF-8".into(),
            })?;
            (source, path)
        } else {
            let named = config.as_ref().map(named_template).transpose()?;
            match named.flatten() {
                Some(source) => (source, config_path.clone()),
                None => return Ok(None),
            }
        };
        let map_path = dir.join(SPECIAL_TOKENS_FILE);
        let map = match map_path.exists() {
            true => Some(Fields::from_file(&map_path, MAX_TOKENIZER_CONFIG_BYTES)?),
            false => None,
        };
        let tokens = SPECIAL_TOKENS
            .into_iter()
            .filter_map(|name| {
                let files = [config.as_ref(), map.as_ref()];
                let found = files
                    .into_iter()
                    .flatten()
                    .find_map(|file| token(file, name));
                Some((name, found?))
            })
            .collect();
        Ok(Some(Self {
            source,
            path,
            tokens,
        }))
    }

    /// The template's text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The prompt for `messages`; with `answer`, up to where the assistant's answer begins.
    ///
    /// # Errors
    /// There are no messages or too many, the template does not compile, uses what is refused
    /// (see the module's description), refuses the messages, or makes too long a prompt.
    pub fn render(&self, messages: &[Message], answer: bool) -> Result<String> {
        let input = check_messages(messages)?;
        let fail = |reason: String| EngineError::ChatTemplate {
            path: self.path.clone(),
            reason,
        };
        let budget = Arc::new(Budget::new(input));
        let fenced = limits::fenced(&self.source).map_err(fail)?;
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| fail(said(&error)))?;
        let env = python::environment(&budget, syntax);
        let template = env
            .template_from_str(&fenced)
            .map_err(|error| fail(said(&error)))?;
        // What `transformers` passes; absent tools and documents are passed as None.
        let tokens = self.tokens.iter();
        let tokens = Value::from_pairs(tokens.map(|(name, token)| (*name, token.as_str())));
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| {
                Value::from_pairs([
                    ("role", message.role.as_str()),
                    ("content", message.content.as_str()),
                ])
            })
            .collect();
        let context = context! {
            messages => messages,
            add_generation_prompt => answer,
            tools => (),
            documents => (),
            ..tokens
        };
        let prompt = template
            .render(context)
            .map_err(|error| fail(said(&error)))?;
        if prompt.len() > MAX_PROMPT_BYTES {
            return Err(fail(format!(
                "makes a prompt of {} bytes; at most {MAX_PROMPT_BYTES} are taken",
                prompt.len()
            )));
        }
        Ok(prompt)
    }
}

/// The template engine's message without its cause's chain, and not without end: a template may
/// put anything into it.
fn said(error: &minijinja::Error) -> String {
    const MOST: usize = 400;
    let place = error.line().map(|line| format!("line {line}: "));
    let kind = error.kind().to_string();
    let detail = error.detail().unwrap_or(&kind);
    let text = format!("{}{detail}", place.unwrap_or_default());
    match text.char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The bytes of all messages together.
fn check_messages(messages: &[Message]) -> Result<usize> {
    let refuse = |reason: String| Err(EngineError::request("messages", reason));
    if messages.is_empty() {
        return refuse("is empty; at least one message is needed".into());
    }
    if messages.len() > MAX_MESSAGES {
        return refuse(format!(
            "has {}; at most {MAX_MESSAGES} are taken",
            messages.len()
        ));
    }
    let bytes: usize = messages
        .iter()
        .map(|message| message.role.len() + message.content.len())
        .sum();
    if bytes > MAX_MESSAGE_BYTES {
        return refuse(format!(
            "hold {bytes} bytes; at most {MAX_MESSAGE_BYTES} are taken"
        ));
    }
    Ok(bytes)
}

/// `chat_template`: a string, or a list of named ones.
fn named_template(config: &Fields) -> Result<Option<String>> {
    const FIELD: &str = "chat_template";
    let templates = match config.value(FIELD) {
        None => return Ok(None),
        Some(Json::String(source)) => return Ok(Some(source.clone())),
        Some(Json::Array(templates)) => templates,
        Some(_) => return Err(config.fail(FIELD, "is neither a string nor a list of templates")),
    };
    let default = templates
        .iter()
        .find(|template| template["name"] == "default")
        .and_then(|template| template["template"].as_str());
    match default {
        Some(source) => Ok(Some(source.to_string())),
        None => Err(config.fail(FIELD, "lists no template of the name `default`")),
    }
}

/// A special token: a string, or an object with the string in `content`.
fn token(fields: &Fields, name: &str) -> Option<String> {
    let value = fields.value(name)?;
    let text = value.as_str().or_else(|| value["content"].as_str());
    text.map(str::to_string)
}

impl Engine {
    /// The prompt for a chat, up to where the assistant's answer begins. Special tokens are those
    /// that the template writes; the tokenizer adds none, so none is doubled. A special token's
    /// text within a message becomes that token, as it does in `transformers`.
    ///
    /// # Errors
    /// The model has no tokenizer or no chat template, or as [`ChatTemplate::render`].
    pub fn chat_prompt(&self, messages: &[Message]) -> Result<Vec<u32>> {
        let tokenizer = self.tokenizer()?;
        let template = self
            .assets()
            .chat
            .as_ref()
            .ok_or_else(|| EngineError::ChatTemplate {
                path: CONFIG_FILE.into(),
                reason: "is missing from the model folder; give the prompt as text".into(),
            })?;
        tokenizer.encode(&template.render(messages, true)?, false)
    }
}
