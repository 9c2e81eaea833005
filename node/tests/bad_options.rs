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
fn blob_options_that_make_no_sense_are_refused() {
    for (args, expected) in [
        (["--blob-quota", "much"], "no number of bytes"),
        (["--blob-rate", "0"], "no number of bytes"),
        (["--blob-fault", "sleepy"], "is no fault"),
    ] {
        let text = refusal(&["--chain", "local", "--tmp", args[0], args[1]]);
        assert!(text.contains(expected), "{text}");
    }
    let text = refusal(&["--dev", "--no-blobs", "--blob-quota", "1G"]);
    assert!(text.contains("cannot be used with"), "{text}");
}
