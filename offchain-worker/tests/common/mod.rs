//! The binary and the models that several tests use.
#![allow(dead_code)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// The worker's binary.
pub fn worker() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chasqui-worker"));
    command.env("RUST_LOG", "warn");
    command
}

/// Runs the binary.
pub fn run(arguments: &[&str]) -> Output {
    worker()
        .args(arguments)
        .output()
        .expect("the binary starts")
}

/// Runs the binary, which succeeds with one JSON value.
pub fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
    serde_json::from_slice(&output.stdout).expect("one JSON value")
}

/// Runs the binary, which fails without output; returns what it says.
pub fn fails(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(output.stdout.is_empty(), "{arguments:?} printed an answer");
    let said = stderr(&output);
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// What a process wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A golden model's folder.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("engine/tests/golden")
        .join(name)
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// A copy of a golden model that may be damaged.
pub fn copy_of(name: &str, into: &Path) {
    std::fs::create_dir_all(into).expect("folder");
    for entry in std::fs::read_dir(golden(name)).expect("the golden model is there") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("a file").to_owned();
        std::fs::copy(&path, into.join(name)).expect("copied");
    }
}
