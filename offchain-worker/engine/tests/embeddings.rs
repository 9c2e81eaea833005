//! Embeddings: one vector a text.

mod common;

use chasqui_engine::{Engine, Llama};
use common::{message, tiny_config};

fn model() -> Llama {
    let device = chasqui_engine::device::open("cpu").unwrap();
    tiny_config().init(3, &device)
}

// GIVEN a sequence
// WHEN it is embedded
// THEN the vector is the mean of the hidden states that scoring shows, scaled to length 1
#[test]
fn an_embedding_is_the_normalised_mean_of_the_hidden_states() {
    let engine = Engine::new(model());
    let ids: Vec<u32> = (0..40).map(|n| (7 * n) % 60).collect();
    let found = engine.embed(&ids).unwrap();
    let scores = engine.score(&ids).unwrap();
    let mut mean = vec![0f64; scores.hidden_size];
    for hidden in scores.hidden.chunks(scores.hidden_size) {
        for (sum, value) in mean.iter_mut().zip(hidden) {
            *sum += f64::from(*value) / ids.len() as f64;
        }
    }
    let length = mean.iter().map(|v| v * v).sum::<f64>().sqrt();
    assert_eq!(found.len(), scores.hidden_size);
    for (found, expected) in found.iter().zip(&mean) {
        assert!((f64::from(*found) - expected / length).abs() < 1e-5);
    }
    let norm: f32 = found.iter().map(|v| v * v).sum();
    assert!((norm - 1.0).abs() < 1e-5);
}

// GIVEN the same ids twice, and others
// WHEN they are embedded
// THEN the same ids have the same vector to the bit, and others another
#[test]
fn embeddings_repeat_and_differ() {
    let engine = Engine::new(model());
    let first = engine.embed(&[3, 1, 4]).unwrap();
    assert_eq!(first, engine.embed(&[3, 1, 4]).unwrap());
    assert_ne!(first, engine.embed(&[3, 1, 5]).unwrap());
}

// GIVEN no ids, ids outside the vocabulary, and more than the context holds
// WHEN they are embedded
// THEN each is refused with its reason
#[test]
fn what_cannot_be_embedded_is_named() {
    let engine = Engine::new(model());
    assert!(message(engine.embed(&[])).contains("empty"));
    assert!(message(engine.embed(&[64])).contains("64"));
    assert!(message(engine.embed(&[1; 65])).contains("context"));
}
