//! How a command fails: in words on standard error, and with `--json` as one object on standard output too.

use super::remedy::remedy;
use clap::{ArgMatches, Error as UsageError};
use serde_json::{json, Map, Value};
use std::{ffi::OsStr, process::ExitCode};

/// A failure that has more to tell in JSON than its words, or an exit status of its own.
#[derive(Debug)]
pub struct Failure {
    words: String,
    fields: Map<String, Value>,
    status: u8,
}

impl Failure {
    /// A failure in words, with exit status 1.
    pub fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            fields: Map::new(),
            status: 1,
        }
    }

    /// Further fields of the JSON object; anything but an object adds nothing.
    pub fn with(mut self, fields: Value) -> Self {
        if let Value::Object(fields) = fields {
            self.fields.extend(fields);
        }
        self
    }

    /// Another exit status.
    pub fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Failure {}

/// Reports the error of a command that ran, and gives its exit status.
pub fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    // The reader of our output has gone (`| head`): no error.
    let gone = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    if gone {
        return ExitCode::SUCCESS;
    }
    let words = format!("{error:#}");
    let remedy = remedy(&words);
    eprintln!("error: {words}");
    if let Some(remedy) = remedy {
        eprintln!("remedy: {remedy}");
    }
    let failure = error.downcast_ref::<Failure>();
    if json {
        let mut object = failure.map(|f| f.fields.clone()).unwrap_or_default();
        object.insert("error".into(), json!(words));
        if let Some(remedy) = remedy {
            object.insert("remedy".into(), json!(remedy));
        }
        println!("{}", Value::Object(object));
    }
    ExitCode::from(failure.map_or(1, |failure| failure.status))
}

/// Reports a wrong use of the command line, or answers a call for help or the version.
pub fn report_usage<S: AsRef<OsStr>>(error: &UsageError, arguments: &[S]) -> ExitCode {
    // Nothing is left to tell it to when standard error is closed.
    let _ = error.print();
    if error.use_stderr() && names_json(arguments) {
        let text = error.to_string();
        // The paragraphs behind the first are the usage.
        let first = text.split("\n\n").next().unwrap_or_default();
        let words = first.trim().trim_start_matches("error: ");
        println!("{}", json!({ "error": words }));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether the innermost command was given `--json`.
pub fn wants_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, inner)) => wants_json(inner),
        None => matches!(matches.try_get_one::<bool>("json"), Ok(Some(true))),
    }
}

/// Whether `--json` is among arguments that could not be understood.
fn names_json<S: AsRef<OsStr>>(arguments: &[S]) -> bool {
    arguments
        .iter()
        .map(AsRef::as_ref)
        .take_while(|argument| *argument != OsStr::new("--"))
        .any(|argument| argument == OsStr::new("--json"))
}
