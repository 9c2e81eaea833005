//! Claims as JSON files.

mod common;

use chasqui_audit::{trace_file::TraceFileError, TraceFile};
use chasqui_primitives::{sampling::Sampling, trace::TraceLeaf, FinishReason};
use common::{sampling, Claim};

fn file() -> TraceFile {
    let trace = vec![
        TraceLeaf {
            token: 9,
            fingerprint: [-3; 14],
        },
        TraceLeaf {
            token: 1,
            fingerprint: [i16::MAX; 14],
        },
    ];
    let sampling = Sampling {
        stop_ids: vec![1, 5].try_into().unwrap(),
        top_k: 40,
        ..sampling(800, u64::MAX, 7)
    };
    let claim = Claim::made_of(&[2, 3], sampling, FinishReason::Stop, trace);
    TraceFile::new(&claim.commitment, &claim.opening())
}

// GIVEN a claim
// WHEN it is written and read back
// THEN commitment and opening are the same, to the last bit of the seed
#[test]
fn a_claim_survives_the_file() {
    let file = file();
    let again = TraceFile::from_json(&file.to_json().unwrap()).unwrap();
    assert_eq!(again, file);
    let leaves = again.leaves();
    assert_eq!(
        again.commitment().unwrap().check(&again.opening(&leaves)),
        Ok(())
    );
    assert_eq!(again.commitment().unwrap().sampling.seed, u64::MAX);
}

// GIVEN damaged files
// WHEN they are read
// THEN the error names what is wrong
#[test]
fn a_damaged_file_names_its_field() {
    let text = file().to_json().unwrap();
    for (from, to) in [
        ("\"prompt_ids\"", "\"prompts\""),
        ("\"seed\":18446744073709551615", "\"seed\":-1"),
        ("\"finish\":\"stop\"", "\"finish\":\"tired\""),
        ("[-3,", "[-70000,"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from}");
        let error = TraceFile::from_json(&broken).unwrap_err();
        assert!(matches!(&error, TraceFileError::Json(_)), "{error}");
    }
    let cut = &text[..text.len() / 2];
    assert!(TraceFile::from_json(cut)
        .unwrap_err()
        .to_string()
        .contains("generate --trace"));
    let other = text.replacen("chasqui-trace/1", "chasqui-trace/9", 1);
    assert_eq!(
        TraceFile::from_json(&other).unwrap_err(),
        TraceFileError::Format("chasqui-trace/9".into())
    );
    let many = text.replacen("\"stop_ids\":[1,5]", "\"stop_ids\":[1,2,3,4,5,6,7,8,9]", 1);
    assert_eq!(
        TraceFile::from_json(&many).unwrap_err(),
        TraceFileError::StopIds(9)
    );
}
