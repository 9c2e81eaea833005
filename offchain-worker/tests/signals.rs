//! A worker that is asked to stop.

mod common;

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use common::{text, worker};
use rustix::process::{kill_process, Pid, Signal};

// GIVEN a worker that waits for its node
// WHEN it gets SIGTERM, as from a service manager, or SIGINT, as from Ctrl-C
// THEN it says so and ends with status 0
#[test]
fn sigterm_and_ctrl_c_end_a_worker_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("worker.toml");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody listens there any more.
    drop(listener);
    let text_of = format!(
        "node = \"ws://{address}\"\nkey = \"//Bob//hot\"\nblob_dir = {:?}\nstate_dir = {:?}\n",
        folder.path().join("blobs"),
        folder.path().join("state")
    );
    std::fs::write(&config, text_of).unwrap();
    let signals = [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")];
    let started = signals.map(|signal| {
        let child = worker()
            .env("RUST_LOG", "info")
            .args(["run", "--config", text(&config)])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (signal, child)
    });
    for ((signal, name), mut child) in started {
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("waiting for the node") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "ended early");
        }
        assert!(line.contains(&address.to_string()), "{line}");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{rest}");
        assert!(rest.contains(&format!("stopped by {name}")), "{rest}");
    }
}
