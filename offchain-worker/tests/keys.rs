//! Keys on the command line: always from a file, if one likes, and never two at once.

mod common;

use common::{fails, json, run, stderr, text};

// GIVEN a key in a file, with a line feed and a remark below it
// WHEN its address is asked for
// THEN it is that of the key in the first line
#[test]
fn a_key_file_is_as_good_as_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hot.key");
    std::fs::write(&file, "//Bob//hot\nmade in spring\n").unwrap();
    let by_file = json(&["account", "address", "--key-file", text(&file), "--json"]);
    let by_key = json(&["account", "address", "--key", "//Bob//hot", "--json"]);
    assert_eq!(by_file, by_key);
}

// GIVEN a bonded key in a file
// WHEN an operator is registered without its hot key, with two, or with one that cannot be read
// THEN it is refused before any node is asked, and the error says which option to give
#[test]
fn a_hot_key_is_named_by_file_or_by_uri() {
    let folder = tempfile::tempdir().unwrap();
    let bonded = folder.path().join("bonded.key");
    std::fs::write(&bonded, "//Bob\n").unwrap();
    let absent = folder.path().join("absent.key");
    let empty = folder.path().join("empty.key");
    std::fs::write(&empty, "").unwrap();
    let register = ["operator", "register", "--key-file", text(&bonded)];
    let with = |more: &[&str]| fails(&[&register[..], more].concat());
    assert!(with(&[]).contains("--hot-key-file"));
    assert!(with(&["--hot-key-file", text(&absent)]).contains("absent.key"));
    let said = with(&["--hot-key-file", text(&empty)]);
    assert!(
        said.contains("--hot-key-file") && said.contains("empty.key"),
        "{said}"
    );
    let both = ["--hot-key", "//Bob//hot", "--hot-key-file", text(&bonded)];
    assert!(with(&both).contains("cannot be used with"));
}

// GIVEN a key file that is empty, or whose first line is
// WHEN it is used, on the command line or by a worker
// THEN it is refused by name: an empty secret would be the development phrase, which everybody knows
#[test]
fn an_empty_key_is_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.key");
    for content in ["", "\n//Bob\n", "  \n"] {
        std::fs::write(&file, content).unwrap();
        let said = fails(&["account", "address", "--key-file", text(&file)]);
        assert!(
            said.contains("empty.key") && said.contains("no key"),
            "{said}"
        );
    }
    assert!(fails(&["account", "address", "--key", ""]).contains("--key"));
    let config = folder.path().join("worker.toml");
    for (content, field) in [
        (format!("key_file = {file:?}\n"), "key_file"),
        ("key = \" \"\n".to_string(), "key"),
    ] {
        std::fs::write(&config, content).unwrap();
        let said = fails(&["run", "--config", text(&config)]);
        assert!(
            said.contains(&format!("`{field}`")) && said.contains("no key"),
            "{said}"
        );
    }
}

// GIVEN every command that signs
// WHEN its help is asked for
// THEN it offers a file for each secret
#[test]
fn every_secret_can_come_from_a_file() {
    for command in [
        &["operator", "register"][..],
        &["operator", "serve"],
        &["operator", "unbond"],
        &["operator", "withdraw"],
        &["operator", "unjail"],
        &["operator", "claim"],
        &["checkpoint", "register"],
        &["checkpoint", "accept"],
        &["job", "submit"],
        &["account", "address"],
        &["account", "transfer"],
    ] {
        let output = run(&[command, &["--help"]].concat());
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", stderr(&output));
        let words: Vec<&str> = help.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| pair[1] == "<SURI>") {
            let from_file = format!("{}-file <FILE>", pair[0]);
            assert!(help.contains(&from_file), "{command:?}: no {from_file}");
        }
        assert!(help.contains("--key-file <FILE>"), "{command:?}");
    }
}
