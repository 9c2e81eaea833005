//! `receipt verify`: a true receipt, a forged one, and files that are none.

mod common;

use chasqui_chain::{Signer, H256};
use chasqui_primitives::{receipt::Receipt, sampling::Sampling, FinishReason};
use chasqui_worker::receipt::ReceiptFile;
use common::{json, run, stderr, text};
use parity_scale_codec::Encode;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn receipt_in(folder: &Path) -> PathBuf {
    let signer = Signer::from_uri("//Bob//hot").unwrap();
    let genesis = H256::repeat_byte(9);
    let receipt = Receipt {
        job: 4,
        operator: Signer::from_uri("//Bob").unwrap().account(),
        checkpoint: H256::repeat_byte(1),
        prompt_hash: H256::repeat_byte(2),
        prompt_tokens: 3,
        sampling: Sampling::greedy(8),
        output_hash: H256::repeat_byte(3),
        trace_root: H256::repeat_byte(4),
        output_tokens: 8,
        finish: FinishReason::Length,
        price: 12_345,
    };
    let signature = signer.sign_hash(&receipt.signing_hash(&genesis).0);
    let file = ReceiptFile::new(&receipt, &genesis, &signature.encode(), &signer.account());
    let path = folder.join("receipt.json");
    file.save(&path).unwrap();
    path
}

/// Checks that a file is found invalid, in JSON and in words; the reason.
fn invalid(path: &Path) -> String {
    let output = run(&["receipt", "verify", text(path), "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["valid"], false, "{found}");
    let reason = found["reason"].as_str().unwrap().to_string();
    assert!(found["error"].as_str().unwrap().contains(&reason));

    let output = run(&["receipt", "verify", text(path)]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty() && stderr(&output).contains(&reason));
    reason
}

// GIVEN a receipt as an executor signed it WHEN it is checked THEN it is valid, and what it says is printed
#[test]
fn a_true_receipt_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let path = receipt_in(folder.path());
    let found = json(&["receipt", "verify", text(&path), "--json"]);
    assert_eq!(found["valid"], true);
    assert_eq!(found["receipt"]["job"], 4);
    let output = run(&["receipt", "verify", text(&path)]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("valid: "));
}

// GIVEN receipts with a changed field, another's signature, or bytes that are none
// WHEN they are checked
// THEN `valid` is false, `reason` names the field, and the exit status is 3
#[test]
fn a_forged_receipt_is_invalid_for_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = receipt_in(folder.path());
    let good: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (field, value) in [
        ("price", "1"),
        ("outputHash", "0x00"),
        ("signer", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"),
        ("signature", "0x01"),
        ("scale", "0xzz"),
        ("format", "chasqui-receipt/0"),
        ("genesis", "0x12"),
    ] {
        let mut forged = good.clone();
        forged[field] = value.into();
        std::fs::write(&path, forged.to_string()).unwrap();
        // Another signer shows in the signature: there is nothing else to compare it with.
        let named = if field == "signer" {
            "signature"
        } else {
            field
        };
        let reason = invalid(&path);
        assert!(reason.contains(&format!("`{named}`")), "{field}: {reason}");
    }
}

// GIVEN a file that is no receipt WHEN it is checked THEN it is not valid, and the reason says what was expected
#[test]
fn another_file_is_no_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.json");
    for content in [
        "",
        "{}",
        "[1]",
        "{\"format\": \"chasqui-receipt/1\", \"more\": 1}",
    ] {
        std::fs::write(&path, content).unwrap();
        let reason = invalid(&path);
        assert!(reason.contains("job submit --receipt"), "{reason}");
    }
}

// GIVEN a file that cannot be read, or is far too large
// WHEN it is checked
// THEN that is an error and no verdict
#[test]
fn an_unreadable_file_is_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.json");
    std::fs::write(&large, " ".repeat(65_537)).unwrap();
    for path in [folder.path().join("absent.json"), large] {
        let output = run(&["receipt", "verify", text(&path), "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(found.get("valid").is_none(), "{found}");
        let error = found["error"].as_str().unwrap();
        assert!(error.contains(text(&path)), "{error}");
    }
}
