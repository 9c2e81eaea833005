//! Commands that fail: words on standard error, and with `--json` one object on standard output.

mod common;

use common::{fails, golden, run, stderr, text};
use serde_json::Value;

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("ws://{}", listener.local_addr().unwrap())
}

/// What a command that fails prints on standard output, and its exit status.
fn object(arguments: &[&str]) -> (Value, i32) {
    let output = run(arguments);
    let said = stderr(&output);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(!said.contains("panicked"), "{said}");
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
    let error = value["error"].as_str().unwrap_or_default();
    assert!(!error.is_empty(), "{arguments:?}: {value}");
    // The first line is enough: a wrong use is followed by the usage.
    let first = error.lines().next().unwrap_or_default();
    assert!(said.contains(first), "{arguments:?}: {value} but {said}");
    (value, output.status.code().unwrap_or(-1))
}

// GIVEN a node that is not there, and files that are not
// WHEN any command fails with --json
// THEN standard output is one JSON object that says so, as standard error does, and the status is not zero
#[test]
fn every_command_that_fails_prints_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let absent = text(&absent);
    let config = folder.path().join("worker.toml");
    std::fs::write(&config, "key = \"//Bob\"\nspeed = 3\n").unwrap();
    let config = text(&config);
    let blobs = folder.path().join("blobs");
    let blobs = text(&blobs);
    let node = nowhere();
    let node = ["--node", node.as_str()];
    let key = ["--key", "//Bob"];
    let root = format!("0x{}", "11".repeat(32));
    let root = ["--checkpoint", root.as_str()];
    let account = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    let model = golden("llama-mha-tied");
    let model = text(&model);
    let cases: Vec<Vec<&str>> = vec![
        vec!["generate", "--model", absent, "--ids", "1"],
        vec!["score", "--model", absent, "--ids", "1"],
        vec!["audit", "--model", absent, "--trace", absent],
        vec!["model", "inspect", absent],
        vec!["model", "import", absent, "--blob-dir", blobs],
        vec!["model", "calibrate", absent],
        vec!["run", "--config", config],
        vec!["run", "--config", absent],
        vec!["status", "--config", config],
        [&["status"], &node[..]].concat(),
        [&["operator", "list"], &node[..]].concat(),
        [&["operator", "status", "--account", account], &node[..]].concat(),
        [&["operator", "register"], &key[..], &node].concat(),
        [&["operator", "serve"], &key[..], &root, &node].concat(),
        [&["operator", "unbond"], &key[..], &node].concat(),
        [&["operator", "withdraw"], &key[..], &node].concat(),
        [&["operator", "unjail"], &key[..], &node].concat(),
        [&["operator", "claim"], &key[..], &node].concat(),
        [&["checkpoint", "list"], &node[..]].concat(),
        [
            &[
                "checkpoint",
                "register",
                "--model",
                model,
                "--blob-dir",
                blobs,
            ],
            &key[..],
            &node,
        ]
        .concat(),
        [&["checkpoint", "accept"], &key[..], &root, &node].concat(),
        [&["train", "status"], &node[..]].concat(),
        [&["train", "join", "0"], &key[..], &node].concat(),
        vec!["dataset", "build", absent, "--tokenizer", model],
        [&["dataset", "list"], &node[..]].concat(),
        [&["dataset", "show", "0"], &node[..]].concat(),
        [&["dataset", "withdraw", "0"], &key[..], &node].concat(),
        [&["fund", "status"], &node[..]].concat(),
        [&["gov", "list"], &node[..]].concat(),
        [&["gov", "show", "0"], &node[..]].concat(),
        [&["gov", "vote", "0", "--aye"], &key[..], &node].concat(),
        [&["price", "show"], &node[..]].concat(),
        [&["price", "vote", "--price", "1"], &key[..], &node].concat(),
        [&["job", "submit", "--prompt", "a"], &key[..], &root, &node].concat(),
        [
            &["job", "submit", "--prompt-file", absent],
            &key[..],
            &root,
            &node,
        ]
        .concat(),
        [&["job", "watch", "1"], &node[..]].concat(),
        [&["job", "list"], &node[..]].concat(),
        vec!["receipt", "verify", absent],
        vec!["account", "address", "--key-file", absent],
        [&["account", "balance", account], &node[..]].concat(),
        [
            &["account", "transfer", "--to", account, "--amount", "1"],
            &key[..],
            &node,
        ]
        .concat(),
    ];
    // At once, because each waits for its node.
    std::thread::scope(|scope| {
        for mut arguments in cases {
            scope.spawn(move || {
                arguments.push("--json");
                let (_, status) = object(&arguments);
                assert_eq!(status, 1, "{arguments:?}");
            });
        }
    });
}

// GIVEN a command line that cannot be understood
// WHEN it asks for JSON
// THEN standard output is one JSON object with the mistake, and the status is 2
#[test]
fn a_wrong_use_prints_one_object() {
    for (arguments, expected) in [
        (&["job", "submit", "--json"][..], "--checkpoint"),
        (&["job", "watch", "--json", "twelve"], "twelve"),
        (
            &[
                "operator", "register", "--key", "//Bob", "--bond", "-1", "--json",
            ],
            "-1",
        ),
        (&["account", "balance", "5Fnobody", "--json"], "SS58"),
        (&["dance", "--json"], "dance"),
    ] {
        let (value, status) = object(arguments);
        assert_eq!(status, 2, "{arguments:?}");
        let error = value["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{arguments:?}: {error}");
        assert!(!error.starts_with("error:"), "{error}");
    }
}

// GIVEN a command that fails WHEN it does not ask for JSON THEN standard output stays empty
#[test]
fn without_json_only_words_are_printed() {
    let node = nowhere();
    let said = fails(&["job", "list", "--node", &node]);
    assert!(
        said.contains(&node) && said.contains("chasqui-node"),
        "{said}"
    );
    fails(&["job", "submit"]);
}

// GIVEN --json as the value of another option, or behind the end of options
// WHEN that command fails
// THEN nobody asked for JSON
#[test]
fn the_word_json_elsewhere_is_no_option() {
    fails(&["receipt", "verify", "--", "--json"]);
}

// GIVEN help WHEN it is asked for THEN it tells exit statuses, and is no error
#[test]
fn help_is_no_failure() {
    let output = run(&["--help"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("Exit status"),
        "{said}"
    );
    let output = run(&["job", "submit", "--help", "--json"]);
    assert!(output.status.success());
}
