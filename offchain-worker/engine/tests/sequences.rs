//! Sequences and passes: what is refused, and that a refusal changes nothing.

mod common;

use chasqui_engine::{
    BurnDecoder, CpuDecoder, CpuOptions, Decoder, KvCache, LlamaConfig, Pass, Sequence,
};
use common::{message, tiny_config};

fn cpu() -> burn::tensor::Device {
    chasqui_engine::device::open("cpu").unwrap()
}

fn decoders(config: &LlamaConfig) -> [Box<dyn Decoder>; 2] {
    let model = config.init(2, &cpu());
    let ours = CpuDecoder::from_modules(&model, &CpuOptions::default()).unwrap();
    [Box::new(ours), Box::new(BurnDecoder::new(model))]
}

fn pass<'a>(sequence: &'a mut Sequence, ids: &'a [u32]) -> Pass<'a> {
    Pass {
        sequence,
        ids,
        from: 0,
    }
}

// GIVEN two sequences, one with room for 4 tokens of which 3 are held
// WHEN a batch brings that one two more, or an id that does not exist
// THEN it is refused with the numbers, neither sequence has changed, and both go on
#[test]
fn what_does_not_fit_changes_nothing() {
    for decoder in decoders(&tiny_config()) {
        let mut full = decoder.sequence(4).unwrap();
        let mut other = decoder.sequence(4).unwrap();
        decoder.forward(&mut [pass(&mut full, &[3, 4, 5])]).unwrap();
        for (ids, expected) in [
            (&[6, 7][..], "holds 3 and has room for 1"),
            (&[64], "id 64; the vocabulary has 64"),
            (&[u32::MAX], "the vocabulary has 64"),
        ] {
            let mut passes = [pass(&mut other, &[8]), pass(&mut full, ids)];
            let error = message(decoder.forward(&mut passes));
            assert!(error.contains(expected), "{error}");
            assert_eq!((other.len(), full.len()), (0, 3));
        }
        let mut passes = [pass(&mut other, &[8]), pass(&mut full, &[6])];
        let states = decoder.forward(&mut passes).unwrap();
        assert_eq!(states.len(), 2 * decoder.config().hidden_size);
        assert_eq!((other.len(), full.len()), (1, 4));
        assert!(message(decoder.forward(&mut [pass(&mut full, &[6])])).contains("room for 0"));
    }
}

// GIVEN sequences of the other decoder, of a model of another shape, and of a batch of two
// WHEN a decoder is given them, beside one of its own
// THEN it refuses and its own has not changed
#[test]
fn foreign_sequences_are_refused() {
    let config = tiny_config();
    let [ours, burn] = decoders(&config);
    let wider = LlamaConfig {
        num_hidden_layers: 3,
        ..config.clone()
    };
    let [wider_ours, wider_burn] = decoders(&wider);
    let foreign = |decoder: &dyn Decoder| {
        let mut sequences = vec![
            wider_ours.sequence(8).unwrap(),
            wider_burn.sequence(8).unwrap(),
            Sequence::Burn(KvCache::new(&config, 2, 8, &cpu())),
        ];
        let cpu = decoder.describe().starts_with("cpu");
        let other = if cpu { &burn } else { &ours };
        sequences.push(other.sequence(8).unwrap());
        sequences
    };
    for decoder in [&ours, &burn] {
        for mut theirs in foreign(&**decoder) {
            let mut own = decoder.sequence(8).unwrap();
            let mut passes = [pass(&mut own, &[3]), pass(&mut theirs, &[3])];
            let error = message(decoder.forward(&mut passes));
            assert!(error.contains("another decoder"), "{error}");
            assert_eq!((own.len(), theirs.len()), (0, 0));
        }
    }
}

// GIVEN a context of 64
// WHEN sequences are asked for
// THEN the whole context is given and more is refused; memory is two f32 a layer and kv element
#[test]
fn capacities() {
    for decoder in decoders(&tiny_config()) {
        assert_eq!(decoder.sequence(64).unwrap().capacity(), 64);
        assert_eq!(decoder.sequence(0).unwrap().capacity(), 0);
        for capacity in [65, usize::MAX] {
            let error = message(decoder.sequence(capacity));
            assert!(error.contains("the context holds 64"), "{error}");
        }
        assert_eq!(decoder.sequence_bytes(10), 10 * 2 * 2 * (2 * 8) * 4);
        assert_eq!(decoder.sequence_bytes(usize::MAX), usize::MAX);
    }
}

// GIVEN a model whose context no machine can hold
// WHEN a sequence over all of it is asked for
// THEN that is an error, not the end of the process
#[test]
fn memory_that_is_not_there_is_an_error() {
    let config = LlamaConfig {
        max_position_embeddings: 1 << 28,
        head_dim: 1 << 14,
        num_attention_heads: 2,
        hidden_size: 4,
        ..tiny_config()
    };
    let model = config.init(2, &cpu());
    let decoder = CpuDecoder::from_modules(&model, &CpuOptions::default()).unwrap();
    let error = message(decoder.sequence(1 << 28));
    assert!(
        error.contains("no memory for a cache of 268435456 tokens"),
        "{error}"
    );
}

// GIVEN nothing to do
// WHEN no pass, an empty pass, or no hidden state is given
// THEN there is nothing, and no error
#[test]
fn nothing_gives_nothing() {
    for decoder in decoders(&tiny_config()) {
        let mut sequence = decoder.sequence(4).unwrap();
        assert!(decoder.forward(&mut []).unwrap().is_empty());
        assert!(decoder
            .forward(&mut [pass(&mut sequence, &[])])
            .unwrap()
            .is_empty());
        assert!(sequence.is_empty());
        assert!(decoder.logits(&[]).unwrap().is_empty());
        let error = message(decoder.logits(&[0.0; 33]));
        assert!(
            error.contains("33 elements") && error.contains("rows of 32"),
            "{error}"
        );
    }
}
