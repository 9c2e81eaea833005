//! Optimiser, schedule and clipping against values worked out by hand.

use burn::tensor::Device;
use chasqui_training::flat::Layout;
use chasqui_training::optim::{clip_global_norm, AdamW, AdamWConfig, CosineSchedule};
use chasqui_training::recipe::Size;
use chasqui_training::TrainingError;

fn layout() -> Layout {
    let size = Size {
        hidden: 8,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        intermediate: 8,
    };
    Layout::of(&size.config(16).init(1, &Device::flex()))
}

// GIVEN fresh moments
// WHEN one step is taken
// THEN every parameter moves by the learning rate against its gradient's sign (bias correction
//      cancels the decays), and only matrices decay
#[test]
fn first_step_moves_by_the_learning_rate() {
    let layout = layout();
    let config = AdamWConfig {
        weight_decay: 0.5,
        ..AdamWConfig::default()
    };
    let mut optimizer = AdamW::new(config, layout.len());
    let mut params = vec![1.0f32; layout.len()];
    let gradient: Vec<f32> = (0..layout.len())
        .map(|i| if i % 2 == 0 { 0.3 } else { -2.0 })
        .collect();
    optimizer
        .step(&layout, &mut params, &gradient, 0.01)
        .unwrap();
    for entry in layout.entries() {
        let kept = if entry.decays() {
            1.0 - 0.01 * 0.5
        } else {
            1.0
        };
        for i in entry.range.clone() {
            let expected = kept - 0.01 * gradient[i].signum();
            assert!(
                (params[i] - expected).abs() < 1e-5,
                "{}: {}",
                entry.path,
                params[i]
            );
        }
    }
    assert_eq!(optimizer.steps(), 1);
    let (first, second) = optimizer.moments();
    assert!((first[0] - 0.03).abs() < 1e-6 && (second[1] - 0.04).abs() < 1e-5);
}

// GIVEN a model's layout
// WHEN it is listed
// THEN it is sorted by path, without gaps, and covers the whole vector
#[test]
fn layout_is_sorted_and_complete() {
    let layout = layout();
    let entries = layout.entries();
    assert!(entries.windows(2).all(|pair| pair[0].path < pair[1].path));
    assert!(entries
        .windows(2)
        .all(|pair| pair[0].range.end == pair[1].range.start));
    assert_eq!(entries[0].range.start, 0);
    assert_eq!(entries[entries.len() - 1].range.end, layout.len());
    assert_eq!(entries[0].path, "model.embed_tokens.weight");
    assert_eq!(entries[0].shape, [16, 8]);
}

// GIVEN weights written into a module
// WHEN they are read back
// THEN they are the same; a vector of another length is refused
#[test]
fn flat_weights_round_trip() {
    let layout = layout();
    let size = Size {
        hidden: 8,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        intermediate: 8,
    };
    let module = size.config(16).init(2, &Device::flex());
    let flat: Vec<f32> = (0..layout.len()).map(|i| i as f32 * 0.5).collect();
    let module = layout.write(module, &flat, false).unwrap();
    assert_eq!(layout.read(&module).unwrap(), flat);
    let error = layout.write(module, &flat[1..], false).unwrap_err();
    assert!(matches!(error, TrainingError::Layout(_)), "{error}");
    let mut changed = flat.clone();
    changed[3] += 1.0;
    assert_ne!(layout.hash(&flat), layout.hash(&changed));
}

// GIVEN vectors of the wrong length
// WHEN a step is asked for
// THEN it is refused and nothing changes
#[test]
fn wrong_lengths_change_nothing() {
    let layout = layout();
    let mut optimizer = AdamW::new(AdamWConfig::default(), layout.len());
    let before = optimizer.clone();
    let mut params = vec![1.0f32; layout.len()];
    let short = vec![1.0f32; layout.len() - 1];
    assert!(optimizer.step(&layout, &mut params, &short, 0.1).is_err());
    assert_eq!(optimizer, before);
    assert!(params.iter().all(|&param| param == 1.0));
}

// GIVEN a schedule
// WHEN it runs
// THEN it rises evenly, peaks after the warm-up, falls, and ends at its floor
#[test]
fn schedule_warms_up_and_falls() {
    let schedule = CosineSchedule {
        peak: 1.0,
        warmup: 10,
        steps: 110,
        floor: 0.1,
    };
    assert!((schedule.at(0) - 0.1).abs() < 1e-12);
    assert!((schedule.at(4) - 0.5).abs() < 1e-12);
    assert!((schedule.at(9) - 1.0).abs() < 1e-12);
    assert!((schedule.at(10) - 1.0).abs() < 1e-12);
    assert!((schedule.at(109) - 0.1).abs() < 1e-12);
    assert!((schedule.at(5000) - 0.1).abs() < 1e-12);
    let falling: Vec<f64> = (10..110).map(|step| schedule.at(step)).collect();
    assert!(falling.windows(2).all(|pair| pair[1] < pair[0]));
}

// GIVEN gradients longer and shorter than the limit
// WHEN they are clipped
// THEN the long one is scaled to the limit as a whole, the short one is untouched
#[test]
fn clipping_is_global() {
    let mut long = vec![3.0f32, 4.0];
    assert!((clip_global_norm(&mut long, 1.0) - 5.0).abs() < 1e-9);
    assert!((long[0] - 0.6).abs() < 1e-6 && (long[1] - 0.8).abs() < 1e-6);
    let mut short = vec![0.3f32, 0.4];
    clip_global_norm(&mut short, 1.0);
    assert_eq!(short, [0.3, 0.4]);
}
