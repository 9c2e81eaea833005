//! What a weights file says.

use crate::{
    file::weights,
    fit::{Cost, Line},
    runtime::merge,
};
use serde_json::json;

fn line(base: u128, slope: u128) -> Line {
    Line {
        base,
        slopes: vec![("n".into(), slope)],
    }
}

#[test]
fn a_function_charges_every_part_of_its_cost() {
    // GIVEN a cost whose every part grows, but for the writes
    let cost = Cost {
        name: "commit".into(),
        components: vec![("n".into(), 1, 2_048)],
        minimum: 1_234,
        time: line(1_234_567, 89),
        reads: line(12, 3),
        writes: line(9, 0),
        proof: line(4_000, 33),
    };
    // WHEN it is written down
    let text = weights("pallet_jobs", "Somewhere, once.", &[cost]);
    // THEN nothing is missing, for the runtime and for tests
    for database in ["T::DbWeight", "ParityDbWeight"] {
        let function = format!(
            "    /// `n` from 1 to 2048.
    fn commit(n: u32) -> Weight {{
        // At least 1_234_000 picoseconds.
        Weight::from_parts(1_234_567, 4000)
            .saturating_add(Weight::from_parts(89, 0).saturating_mul(n.into()))
            .saturating_add({database}::get().reads(12))
            .saturating_add({database}::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add({database}::get().writes(9))
            .saturating_add(Weight::from_parts(0, 33).saturating_mul(n.into()))
    }}
"
        );
        assert!(text.contains(&function), "{text}");
    }
    assert!(text.contains("    fn commit(n: u32) -> Weight;\n"));
    assert!(text.contains("//! Somewhere, once.\n"));
}

#[test]
fn a_preset_overrides_only_what_it_names() {
    let mut whole = json!({ "jobs": { "params": { "a": 1, "b": 2 } }, "list": [1, 2] });
    merge(
        &mut whole,
        json!({ "jobs": { "params": { "b": 3 } }, "list": [4] }),
    );
    let expected = json!({ "jobs": { "params": { "a": 1, "b": 3 } }, "list": [4] });
    assert_eq!(whole, expected);
}
