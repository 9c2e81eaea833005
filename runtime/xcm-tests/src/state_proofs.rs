//! What another chain reads out of Chasqui's state. The bytes here are a promise to others: a change of them breaks their
//! verifiers, and needs a new map beside the old one.

use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds},
    CheckpointRoot, NumericProfile,
};
use chasqui_runtime::{Header, Runtime};
use chasqui_verifier::{registry_key, verify, Error};
use parity_scale_codec::Encode;
use sp_core::H256;
use sp_io::TestExternalities;
use sp_runtime::traits::{BlakeTwo256, Hash, Header as _};
use sp_storage::StateVersion;

const ROOT: CheckpointRoot = CheckpointRoot::repeat_byte(0xC0);

/// An entry with every field in use.
fn sample() -> pallet_checkpoints::CheckpointOf<Runtime> {
    let limits = |scale| AuditLimits {
        mean_margin_micro: scale,
        max_margin_micro: 2 * scale,
        mismatch_ppm: 3 * scale,
        fingerprint_milli: 4 * scale,
    };
    pallet_checkpoints::Checkpoint {
        info: pallet_checkpoints::CheckpointInfo {
            name: b"tiny".to_vec().try_into().unwrap(),
            parent: Some(H256::repeat_byte(0xA1)),
            base: Some(H256::repeat_byte(0xA2)),
            profile: NumericProfile::Bf16,
            vocabulary: 32_000,
            context_tokens: 2_048,
            end_tokens: vec![2, 32_000 - 1].try_into().unwrap(),
            has_tokenizer: true,
            units_per_prompt_token: 1,
            units_per_output_token: 4,
            size_bytes: 0x0102_0304_0506,
            licence: b"MIT".to_vec().try_into().unwrap(),
        },
        proposer: Some([0xB0; 32].into()),
        deposit: 1_000_000_000_000,
        status: pallet_checkpoints::Status::Accepted,
        thresholds: Some(AuditThresholds {
            boundary_micro: 1,
            clip_micro: 2,
            soft: limits(10),
            hard: limits(100),
            evidence_tau: 8,
        }),
        proposed_at: 77,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// State with the sample entry among others, and the header of its block.
fn chain() -> (TestExternalities, Header) {
    let mut state =
        TestExternalities::new_with_code_and_state(&[], Default::default(), StateVersion::V1);
    state.execute_with(|| {
        pallet_checkpoints::Registry::<Runtime>::insert(ROOT, sample());
        for n in 1..20u8 {
            pallet_checkpoints::Registry::<Runtime>::insert(H256::repeat_byte(n), sample());
            sp_io::storage::set(&[n; 40], &[n; 100]);
        }
    });
    state.commit_all().unwrap();
    let root = *state.as_backend().root();
    let header = Header::new(
        42,
        H256::repeat_byte(7),
        root,
        H256::repeat_byte(9),
        Default::default(),
    );
    (state, header)
}

/// What a node answers to `state_getReadProof`.
fn proof_of(state: &mut TestExternalities, root: &CheckpointRoot) -> Vec<Vec<u8>> {
    sp_state_machine::prove_read(state.as_backend(), [registry_key(root)])
        .unwrap()
        .into_iter_nodes()
        .collect()
}

#[test]
fn the_layout_of_the_registry_stays_as_it_is() {
    // GIVEN where the runtime keeps a checkpoint
    let key = pallet_checkpoints::Registry::<Runtime>::hashed_key_for(ROOT);
    // THEN it is where others look
    assert_eq!(key, registry_key(&ROOT));
    assert_eq!(hex(&key[..32]), PREFIX);
    assert_eq!(&key[32..], ROOT.as_bytes());
    // AND its bytes are those that others read
    assert_eq!(hex(&sample().encode()), ENTRY);
}

/// Hashes of `Checkpoints` and `Registry`.
const PREFIX: &str = "0ee55b9119f1214e00a194708591714f8a493ef65ff3987a1fbc9979200ad1af";
/// The sample's bytes, field by field.
const ENTRY: &str = concat!(
    "1074696e79",
    "01a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
    "01a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2",
    "02",
    "007d000000080000",
    "0802000000ff7c0000",
    "01",
    "0100000004000000",
    "0605040302010000",
    "0c4d4954",
    "01b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0",
    "0010a5d4e80000000000000000000000",
    "03",
    "0101000000020000000a000000140000001e0000002800000064000000c80000002c0100009001000008000000",
    "4d000000",
);

#[test]
fn a_proof_out_of_the_state_says_what_is_there() {
    // GIVEN a header, and a proof as nodes give it
    let (mut state, header) = chain();
    let block = BlakeTwo256::hash_of(&header);
    assert_eq!(block, header.hash());
    // WHEN it is verified
    let found = verify(
        &block,
        &header.encode(),
        &proof_of(&mut state, &ROOT),
        &ROOT,
    )
    .unwrap()
    .unwrap();
    // THEN it says what the registry holds, field by field
    assert_eq!(found.encode(), sample().encode());
    assert_eq!(found.name, b"tiny");
    assert_eq!(found.profile, 2);
    assert_eq!(found.status, chasqui_verifier::Status::Accepted);
    assert_eq!(found.thresholds.unwrap().hard.fingerprint_milli, 400);
    // AND of one that is not there, that it is not
    let absent = H256::repeat_byte(0xEE);
    let proof = proof_of(&mut state, &absent);
    assert_eq!(verify(&block, &header.encode(), &proof, &absent), Ok(None));
}

#[test]
fn every_status_has_the_number_that_others_know() {
    use chasqui_verifier::Status as Theirs;
    use pallet_checkpoints::Status as Ours;
    for (ours, theirs) in [
        (Ours::Calibrating, Theirs::Calibrating),
        (Ours::Stalled, Theirs::Stalled),
        (Ours::Calibrated, Theirs::Calibrated),
        (Ours::Accepted, Theirs::Accepted),
        (Ours::Retired, Theirs::Retired),
    ] {
        assert_eq!(ours.encode(), theirs.encode());
    }
}

#[test]
fn a_forged_proof_proves_nothing() {
    // GIVEN a header and a proof
    let (mut state, header) = chain();
    let (block, bytes, proof) = (header.hash(), header.encode(), proof_of(&mut state, &ROOT));
    // WHEN any byte of any node is another THEN it proves nothing
    for node in 0..proof.len() {
        for position in [0, proof[node].len() / 2, proof[node].len() - 1] {
            let mut forged = proof.clone();
            forged[node][position] ^= 1;
            assert_eq!(verify(&block, &bytes, &forged, &ROOT), Err(Error::BadProof));
        }
        // AND when a node is missing
        let mut short = proof.clone();
        short.remove(node);
        assert_eq!(verify(&block, &bytes, &short, &ROOT), Err(Error::BadProof));
    }
    // AND when it is for another checkpoint
    let other = H256::repeat_byte(0xC1);
    assert_ne!(
        verify(&block, &bytes, &proof, &other).map(|found| found.is_some()),
        Ok(true)
    );
    // AND when the header is another's
    let mut wrong = header.clone();
    wrong.state_root = H256::repeat_byte(1);
    assert_eq!(
        verify(&block, &wrong.encode(), &proof, &ROOT),
        Err(Error::WrongHeader)
    );
    assert_eq!(
        verify(&wrong.hash(), &wrong.encode(), &proof, &ROOT),
        Err(Error::BadProof)
    );
    // AND a header that is none, or a proof without end, is an error
    let stub = vec![1, 2, 3];
    let name = H256(sp_io::hashing::blake2_256(&stub));
    assert_eq!(verify(&name, &stub, &proof, &ROOT), Err(Error::BadHeader));
    let endless = vec![vec![0; 1024]; 257];
    assert_eq!(
        verify(&block, &bytes, &endless, &ROOT),
        Err(Error::TooLarge)
    );
}

/// What `docs/examples/checkpoint-proof.json` holds, which the verifier in JavaScript is tried on.
#[test]
fn the_example_is_such_a_proof() {
    let (mut state, header) = chain();
    let example = serde_json::json!({
        "block": format!("0x{}", hex(header.hash().as_bytes())),
        "header": format!("0x{}", hex(&header.encode())),
        "checkpoint": format!("0x{}", hex(ROOT.as_bytes())),
        "proof": proof_of(&mut state, &ROOT)
            .iter()
            .map(|node| format!("0x{}", hex(node)))
            .collect::<Vec<_>>(),
    });
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/examples/checkpoint-proof.json"
    );
    let text = serde_json::to_string_pretty(&example).unwrap() + "\n";
    if std::env::var_os("CHASQUI_WRITE_EXAMPLES").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let committed: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(committed, example);
}
