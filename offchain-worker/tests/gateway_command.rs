//! `chasqui-worker gateway` as people start and stop it.

mod common;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use common::{fails, json, run, stderr, text, worker};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;

/// A checkpoint's root.
const ROOT: &str = "0x43b2f6c16d08420cb7cc340598b603d24b7097eee7fd36060c6bcc53f52e1a39";

fn tales() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/chasqui-tales")
}

/// A running gateway, and what it said at its start.
fn started(options: &[&str]) -> (Child, Value) {
    let model = tales();
    let mut child = worker()
        .args([
            "gateway",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--model",
            text(&model),
        ])
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (child, said)
}

fn stopped(mut child: Child, signal: Signal) {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let mut log = String::new();
    let mut err = child.stderr.take().unwrap();
    err.read_to_string(&mut log).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// The answer to a GET, head and body.
fn get(address: &str, path: &str, key: Option<&str>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let key = key.map(|key| format!("authorization: Bearer {key}\r\n"));
    let key = key.unwrap_or_default();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{key}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

// GIVEN a gateway without a key file, and an open one
// WHEN they start, are asked, and get a signal
// THEN the first says its key and asks for it, the second needs none, and both end with status 0
#[test]
fn a_gateway_starts_serves_and_stops() {
    for (options, signal) in [(&[][..], Signal::TERM), (&["--open"], Signal::INT)] {
        let (child, said) = started(options);
        let address = said["listening"].as_str().unwrap();
        assert_eq!(said["base_url"], format!("http://{address}/v1"));
        assert_eq!(said["models"][0], "chasqui-tales");
        let key = said["key"].as_str();
        assert_eq!(key.is_some(), options.is_empty());
        assert_eq!(said["open"], !options.is_empty());
        let status = if key.is_some() { "401" } else { "200" };
        let answer = get(address, "/v1/models", None);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        let answer = get(address, "/v1/models", key);
        assert!(answer.contains("\"id\":\"chasqui-tales\""), "{answer}");
        assert!(get(address, "/", None).contains("<title>Chasqui gateway</title>"));
        stopped(child, signal);
    }
}

// GIVEN a new key from the command
// WHEN its lines are a gateway's key file
// THEN the key is taken
#[test]
fn a_new_key_is_taken_from_its_file() {
    let made = json(&["gateway", "--new-key", "alice", "--json"]);
    let key = made["key"].as_str().unwrap();
    let shown = run(&["gateway", "--new-key", "bob"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("[[keys]]\nname = \"bob\"\nsha256 = \""),
        "{shown}"
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let hash = made["sha256"].as_str().unwrap();
    std::fs::write(
        &file,
        format!("[[keys]]\nname = \"alice\"\nsha256 = \"{hash}\"\n"),
    )
    .unwrap();
    let (child, said) = started(&["--keys", text(&file)]);
    assert!(said.get("key").is_none());
    let address = said["listening"].as_str().unwrap();
    assert!(get(address, "/v1/models", Some(key)).starts_with("HTTP/1.1 200 "));
    stopped(child, Signal::TERM);
}

// GIVEN options that cannot work
// WHEN the command runs
// THEN it names the option and what to do, and serves nothing
#[test]
fn what_cannot_work_is_named() {
    let model = tales();
    let model = text(&model);
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.toml");
    std::fs::write(&keys, "[[keys]]\nname = \"a\"\nsha256 = \"1\"\n").unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let missing = folder.path().join("none");
    for (options, words) in [
        (
            &["--model", model, "--open", "--listen", "0.0.0.0:0"][..],
            "--open",
        ),
        (&["--model", model, "--listen", &address], "--listen"),
        (
            &["--model", model, "--keys", text(&keys)],
            "64 hexadecimal digits",
        ),
        (&["--model", model, "--running", "0"], "`running` is 0"),
        (
            &[
                "--model",
                model,
                "--model",
                model,
                "--listen",
                "127.0.0.1:0",
            ],
            "NAME=DIR",
        ),
        (&["--model", "a b=.", "--listen", "127.0.0.1:0"], "NAME=DIR"),
        (
            &["--model", text(&missing), "--listen", "127.0.0.1:0"],
            "config.json",
        ),
        (&["--new-key", "a b"], "--new-key"),
        (&["--checkpoint", "all"], "--key-file"),
        (&["--checkpoint", ROOT, "--key", "nonsense"], "--key"),
        (
            &["--checkpoint", ROOT, "--key", "//A", "--sessions", "0"],
            "--sessions",
        ),
        (
            &["--checkpoint", ROOT, "--key", "//A", "--deposit", "20"],
            "--budget",
        ),
        (
            &[
                "--checkpoint",
                ROOT,
                "--key",
                "//A",
                "--node",
                "ws://127.0.0.1:1",
                "--listen",
                "127.0.0.1:0",
            ],
            "--node",
        ),
    ] {
        let arguments = [&["gateway"], options].concat();
        let said = fails(&arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let wrong = run(&["gateway"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("--model"));
    for options in [
        &["--checkpoint", "everything"][..],
        &["--checkpoint", "0x12"],
        &["--checkpoint", ROOT, "--audit-share", "1.5"],
        &["--checkpoint", ROOT, "--deposit", "much"],
        &["--model", model, "--key", "//A"],
    ] {
        let wrong = run(&[&["gateway"], options].concat());
        assert_eq!(wrong.status.code(), Some(2), "{options:?}");
    }
}
