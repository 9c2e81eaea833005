//! `[training]` of the worker's configuration.

use chasqui_worker::config::Config;

fn load(lines: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    std::fs::write(&file, format!("key = \"//Alice\"\n{lines}")).unwrap();
    Config::load(&file).map_err(|error| format!("{error:#}"))
}

// GIVEN a file that says nothing of training
// WHEN it is read
// THEN nothing is joined, and false models are challenged
#[test]
fn nothing_is_joined_by_itself() {
    let training = load("").unwrap().training;
    assert!(training.join.is_empty() && !training.join.wants(0));
    assert!(training.challenge);
    assert_eq!(training.disk_gib, None);
}

// GIVEN a list of runs, or all of them
// WHEN it is read
// THEN those are joined
#[test]
fn runs_are_joined_by_number_or_all() {
    let listen = "listen = \"127.0.0.1:1\"\n[training]\n";
    let some = load(&format!("{listen}join = [0, 3]\n")).unwrap().training;
    assert!(some.join.wants(0) && !some.join.wants(1) && some.join.wants(3));
    let all = load(&format!("{listen}join = \"all\"\nthreads = 2\n")).unwrap();
    assert!(all.training.join.wants(17));
    assert_eq!(all.training.threads, Some(2));
}

// GIVEN a field that is unknown or says nothing possible, or a member that nobody could reach
// WHEN the file is read
// THEN the error names the field, and what to write
#[test]
fn what_cannot_be_is_refused() {
    let cases = [
        ("[training]\njoin = \"every\"\n", "\"all\""),
        ("[training]\njoin = \"all\"\n", "`listen`"),
        ("[training]\njoin = [1]\n", "`listen`"),
        ("[training]\nthreads = 0\n", "`threads`"),
        ("[training]\ndisk_gib = 0\n", "`disk_gib`"),
        ("[training]\ndisc_gib = 1\n", "disc_gib"),
    ];
    for (lines, named) in cases {
        let error = load(lines).unwrap_err();
        assert!(error.contains(named), "{named} is not in: {error}");
    }
}
