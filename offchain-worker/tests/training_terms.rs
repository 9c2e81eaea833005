//! Terms of runs, from a file to what the chain takes.

use chasqui_primitives::{
    training::{AdapterTargets, Codec, InnerOptimizer, Outer, Start, Trains},
    DOT,
};
use chasqui_worker::training::terms::{DataFacts, TermsFile};
use sp_core::H256;

const DATA: DataFacts = DataFacts {
    tokens: 10_001,
    held_out: 1_000,
};

fn least() -> String {
    format!(
        "dataset = \"0x{}\"\nrounds = 20\nround_pay = \"2.5\"\nstart = {{ checkpoint = \"0x{}\" }}\n",
        "11".repeat(32),
        "22".repeat(32)
    )
}

fn error(text: &str) -> String {
    let error = match TermsFile::parse(text) {
        Ok(file) => file.terms(&DATA).map(drop).unwrap_err(),
        Err(error) => error,
    };
    format!("{error:#}")
}

// GIVEN a file with nothing but what must be there
// WHEN it is read
// THEN the rest has values that the chain takes, in its units
#[test]
fn what_is_left_out_has_a_value_that_works() {
    let terms = TermsFile::parse(&least()).unwrap().terms(&DATA).unwrap();
    assert_eq!(terms.start, Start::Checkpoint(H256::repeat_byte(0x22)));
    assert_eq!(terms.dataset, H256::repeat_byte(0x11));
    // 9,001 tokens to train on are 35 whole sequences of 256 and the one after the last.
    assert_eq!(terms.sequences, 35);
    assert_eq!(terms.round_pay, 5 * DOT / 2);
    assert_eq!(terms.budget(), Some(50 * DOT));
    let recipe = terms.recipe;
    assert_eq!(recipe.schedule.total_steps, 20 * recipe.inner_steps);
    assert_eq!(recipe.schedule.peak_nano, 1_000_000);
    assert_eq!(recipe.optimizer, InnerOptimizer::default());
    assert_eq!(recipe.outer, Outer::default());
    assert_eq!(recipe.trains, Trains::Full);
}

// GIVEN the file that is shipped as an example
// WHEN it is read
// THEN it says what the defaults say
#[test]
fn the_example_shows_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/run.toml");
    let shown = TermsFile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut shown = shown.terms(&DATA).unwrap();
    let default = TermsFile::parse(&least()).unwrap().terms(&DATA).unwrap();
    shown.start = default.start;
    shown.dataset = default.dataset;
    shown.rounds = default.rounds;
    shown.round_pay = default.round_pay;
    shown.recipe.schedule.total_steps = default.recipe.schedule.total_steps;
    assert_eq!(shown, default);
}

// GIVEN sparse exchange, an adapter, a teacher, or fresh weights
// WHEN they are asked for
// THEN the terms are what such runs need
#[test]
fn other_kinds_of_runs_can_be_written() {
    let terms = |more: &str| {
        let text = format!("{}{more}", least());
        TermsFile::parse(&text).unwrap().terms(&DATA).unwrap()
    };
    let sparse = terms("[recipe]\ncodec = \"sparse\"\n").recipe;
    assert!(matches!(
        sparse.codec,
        Codec::Sparse {
            chunk: 4_096,
            keep: 64,
            ..
        }
    ));
    assert_eq!(
        sparse.outer,
        Outer {
            rate_ppm: 1_000_000,
            momentum_ppm: 0,
            nesterov: false
        }
    );
    let adapter = terms("[recipe]\nadapter = { rank = 4, targets = \"attention\" }\n").recipe;
    assert_eq!(
        adapter.trains,
        Trains::Adapter {
            rank: 4,
            alpha_milli: 8_000,
            targets: AdapterTargets::ATTENTION
        }
    );
    let teacher = format!(
        "[recipe.distil]\nteacher = \"0x{}\"\nshare = 0.5\n",
        "33".repeat(32)
    );
    assert!(matches!(
        terms(&teacher).recipe.trains,
        Trains::Distil {
            temperature_milli: 1_000,
            share_ppm: 500_000,
            ..
        }
    ));
    let fresh = least().replace("checkpoint", "seed = 7, config");
    let fresh = TermsFile::parse(&fresh).unwrap().terms(&DATA).unwrap();
    assert_eq!(
        fresh.start,
        Start::Fresh {
            config: H256::repeat_byte(0x22),
            seed: 7
        }
    );
}

// GIVEN files in which one thing is wrong
// WHEN they are read
// THEN the error names the field, and what to write
#[test]
fn what_is_wrong_is_named() {
    let with = |more: &str| format!("{}{more}", least());
    let cases = [
        (with("speed = 1\n"), "speed"),
        (with("[recipe]\nlearning_rat = 1.0\n"), "learning_rat"),
        (
            with("[recipe]\ncodec = \"zip\"\n"),
            "\"f32\", \"int8\" or \"sparse\"",
        ),
        (
            with("[recipe]\nlearning_rate = -0.1\n"),
            "recipe.learning_rate",
        ),
        (
            with("[recipe]\nlearning_rate = 9.0\n"),
            "recipe.learning_rate",
        ),
        (with("[recipe]\nepsilon = 1e-14\n"), "recipe.epsilon"),
        (with("[recipe]\nclip = nan\n"), "recipe.clip"),
        (with("[recipe]\nsequence = 20000\n"), "recipe.sequence"),
        (with("[recipe]\nmicro_batch = 9\n"), "recipe.micro_batch"),
        (with("[recipe]\nsegments = 65\n"), "recipe.segments"),
        (with("[recipe]\nwarmup_steps = 2000\n"), "warmup_steps"),
        (
            with("[recipe]\nouter_momentum = 1.0\n"),
            "recipe.outer_momentum",
        ),
        (with("[members]\nmin = 0\n"), "`members`"),
        (with("[members]\nmin = 20\n"), "`members`"),
        (with("[timing]\ntrain = 0\n"), "`timing`"),
        (with("[audit]\nsegments = 5\n"), "`audit`"),
        (least().replace("2.5", "2,5"), "round_pay"),
        (least().replace("2.5", "0"), "round_pay"),
        (least().replace("rounds = 20", "rounds = 0"), "`rounds`"),
        (least().replace("0x11", "0y11"), "`dataset`"),
        (
            least().replace("start = { checkpoint", "start = { seed = 1, checkpoint"),
            "`start`",
        ),
        (least().replace("start", "begin"), "start"),
        (
            with("[recipe]\nadapter = { rank = 4, targets = \"some\" }\n"),
            "\"attention\" or \"all\"",
        ),
    ];
    for (text, named) in cases {
        let error = error(&text);
        assert!(error.contains(named), "{named} is not in: {error}");
    }
}
