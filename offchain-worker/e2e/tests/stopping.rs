//! The demo stops everything that it started, whatever stops the demo.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{kill_process, Pid, Signal};

/// How long to wait for what must come, before it counts as not coming.
const PATIENCE: Duration = Duration::from_secs(120);

/// A demo that writes below `folder`, once a worker of it runs.
fn demo(folder: &Path) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chasqui-demo"))
        .env("TMPDIR", folder)
        .env_remove("CHASQUI_E2E_DIR")
        .args(["--market-only", "--json"])
        .arg(folder.join("market.json"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.is_ok_and(|line| line.contains("bob registered"))),
        "the demo ended early"
    );
    // It goes on printing: keep its pipe open.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// Programs that name `folder` in their command line.
fn running(folder: &Path) -> Vec<String> {
    let name = folder.display().to_string();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&name))
        .collect()
}

fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status,
            None => assert!(start.elapsed() < PATIENCE, "the demo does not end"),
        }
        sleep(Duration::from_millis(50));
    }
}

/// What is left of what the demo wrote.
fn left(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

// GIVEN a demo with a node and a worker
// WHEN it gets SIGTERM, or SIGINT as from Ctrl-C
// THEN it ends with the status of that signal, and neither a process nor a file of it is left
#[test]
fn a_signal_stops_all_processes_and_removes_the_folder() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = demo(folder.path());
        let before = running(folder.path());
        assert!(
            ["chasqui-node", "chasqui-worker run"]
                .iter()
                .all(|name| before.iter().any(|line| line.contains(name))),
            "{before:?}"
        );
        kill_process(Pid::from_child(&demo), signal).unwrap();
        assert_eq!(wait(&mut demo).code(), Some(status));
        assert_eq!(running(folder.path()), Vec::<String>::new());
        assert_eq!(left(folder.path()), Vec::<String>::new());
    }
}

// GIVEN a demo with a node and a worker
// WHEN it is killed, so that it can do nothing any more
// THEN the kernel kills what it had started
#[test]
fn a_killed_demo_takes_its_processes_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = demo(folder.path());
    demo.kill().unwrap();
    wait(&mut demo);
    let start = Instant::now();
    while !running(folder.path()).is_empty() {
        let still = running(folder.path());
        assert!(start.elapsed() < PATIENCE, "still running: {still:?}");
        sleep(Duration::from_millis(50));
    }
}

// GIVEN a demo that finds no model once its node runs
// WHEN it fails
// THEN it says why, and neither a process nor a file of it is left
#[test]
fn an_error_stops_all_processes_and_removes_the_folder() {
    let (folder, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_chasqui-demo"))
        .env("TMPDIR", folder.path())
        .env("CHASQUI_ROOT", empty.path())
        .env_remove("CHASQUI_E2E_DIR")
        .arg("--once")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no model in"), "{said}");
    assert_eq!(running(folder.path()), Vec::<String>::new());
    assert_eq!(left(folder.path()), Vec::<String>::new());
}
