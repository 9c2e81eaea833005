//! Options that make no sense end in one clear line.

mod common;

use common::run;

fn refusal(args: &[&str]) -> String {
    let output = run(args);
    assert!(!output.status.success(), "{args:?} was accepted");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_pace_that_the_runtime_refuses_is_refused_at_once() {
    let text = refusal(&["--dev", "--sealing", "interval:200"]);
    assert!(text.contains("blocks are at least 1000 ms apart"), "{text}");
    let text = refusal(&["--dev", "--sealing", "whenever"]);
    assert!(
        text.contains("neither 'instant' nor 'interval:MS'"),
        "{text}"
    );
}

#[test]
fn a_missing_chain_specification_is_named() {
    let text = refusal(&["--chain", "nowhere.json", "--tmp"]);
    assert!(text.contains("nowhere.json"), "{text}");
}

#[test]
fn other_network_stacks_are_refused() {
    let text = refusal(&["--chain", "local", "--tmp", "--network-backend", "libp2p"]);
    assert!(text.contains("litep2p only"), "{text}");
}
