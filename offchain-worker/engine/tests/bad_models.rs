//! A damaged or foreign model folder is refused with a message that names file, tensor or field,
//! and says what to do.

mod common;

use std::path::Path;

use chasqui_engine::{Engine, EngineError, LlamaConfig};
use common::{edit_json, golden_copy, message};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

fn load(dir: &Path) -> String {
    message(Engine::load(dir, "cpu"))
}

/// Rewrites `model.safetensors` with one tensor replaced (or dropped).
fn replace_tensor(dir: &Path, name: &str, with: Option<(Dtype, Vec<usize>, Vec<u8>)>) {
    let path = dir.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views: Vec<(String, TensorView)> = file
        .tensors()
        .into_iter()
        .filter(|(n, _)| n != name)
        .collect();
    if let Some((dtype, shape, data)) = &with {
        views.push((
            name.into(),
            TensorView::new(*dtype, shape.clone(), data).unwrap(),
        ));
    }
    let rewritten = safetensors::serialize(views, None).unwrap();
    std::fs::write(path, rewritten).unwrap();
}

// GIVEN a path where no model is
// WHEN it is loaded
// THEN the error names the file that is missing
#[test]
fn missing_folder() {
    let error = load(Path::new("/nonexistent/model"));
    assert!(error.contains("/nonexistent/model/config.json"), "{error}");
}

// GIVEN a folder without weights
// WHEN it is loaded
// THEN the error names the weight file
#[test]
fn missing_weights() {
    let dir = golden_copy("llama-mha-tied");
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let error = load(dir.path());
    assert!(error.contains("model.safetensors"), "{error}");
}

// GIVEN a weight file cut at every kind of place: no header, half a header, half the data
// WHEN it is loaded
// THEN the error names the file and says that it is truncated
#[test]
fn truncated_weights() {
    let dir = golden_copy("llama-mha-tied");
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = load(dir.path());
        assert!(
            error.contains("model.safetensors: truncated or corrupt"),
            "{length}: {error}"
        );
        assert!(error.contains("download"), "{length}: {error}");
    }
}

// GIVEN a sharded model of which one shard is truncated or gone
// WHEN it is loaded
// THEN the error names that shard
#[test]
fn damaged_shard() {
    let dir = golden_copy("llama-gqa-bf16-sharded");
    let path = dir.path().join("model-00003-of-00004.safetensors");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    assert!(load(dir.path()).contains("model-00003-of-00004.safetensors: truncated"));
    std::fs::remove_file(&path).unwrap();
    assert!(load(dir.path()).contains("model-00003-of-00004.safetensors"));
}

// GIVEN an index that names a file outside the folder
// WHEN it is loaded
// THEN it is refused
#[test]
fn index_cannot_leave_the_folder() {
    let dir = golden_copy("llama-gqa-bf16-sharded");
    edit_json(&dir.path().join("model.safetensors.index.json"), |index| {
        index["weight_map"]["model.norm.weight"] = "../elsewhere.safetensors".into();
    });
    let error = load(dir.path());
    assert!(
        error.contains("not the name of a file in this folder"),
        "{error}"
    );
}

// GIVEN weights without one tensor
// WHEN they are loaded
// THEN the error names file and tensor
#[test]
fn missing_tensor() {
    let dir = golden_copy("llama-mha-tied");
    replace_tensor(dir.path(), "model.layers.1.mlp.up_proj.weight", None);
    let error = load(dir.path());
    assert!(error.contains("model.safetensors"), "{error}");
    assert!(
        error.contains("`model.layers.1.mlp.up_proj.weight` is missing"),
        "{error}"
    );
}

// GIVEN an index that lacks a tensor
// WHEN the model is loaded
// THEN the error names index and tensor
#[test]
fn tensor_missing_from_index() {
    let dir = golden_copy("llama-gqa-bf16-sharded");
    edit_json(&dir.path().join("model.safetensors.index.json"), |index| {
        index["weight_map"]
            .as_object_mut()
            .unwrap()
            .remove("model.norm.weight");
    });
    let error = load(dir.path());
    assert!(
        error.contains("index.json: tensor `model.norm.weight` is missing"),
        "{error}"
    );
}

// GIVEN a tensor of another shape
// WHEN the model is loaded
// THEN the error names tensor, shape found and shape expected
#[test]
fn misshapen_tensor() {
    let dir = golden_copy("llama-mha-tied");
    let name = "model.layers.0.self_attn.k_proj.weight";
    replace_tensor(
        dir.path(),
        name,
        Some((Dtype::F32, vec![32, 64], vec![0; 32 * 64 * 4])),
    );
    let error = load(dir.path());
    assert!(
        error.contains(&format!("`{name}` has shape [32, 64]")),
        "{error}"
    );
    assert!(error.contains("[64, 64]"), "{error}");
}

// GIVEN a tensor stored as integers
// WHEN the model is loaded
// THEN the error names its type and the types that are read
#[test]
fn integer_tensor() {
    let dir = golden_copy("llama-mha-tied");
    let data = Some((Dtype::I8, vec![64], vec![0; 64]));
    replace_tensor(dir.path(), "model.norm.weight", data);
    let error = load(dir.path());
    assert!(
        error.contains("`model.norm.weight` is stored as I8"),
        "{error}"
    );
    assert!(error.contains("F32, F16 or BF16"), "{error}");
}

// GIVEN weights that are not numbers
// WHEN a token is generated
// THEN no token comes out but an error that names the position
#[test]
fn nan_weights_give_no_token() {
    let dir = golden_copy("llama-mha-tied");
    let nan: Vec<u8> = [f32::NAN; 64]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    replace_tensor(
        dir.path(),
        "model.norm.weight",
        Some((Dtype::F32, vec![64], nan)),
    );
    let engine = Engine::load(dir.path(), "cpu").unwrap();
    let request = chasqui_engine::GenerateRequest {
        prompt_ids: vec![0, 5],
        sampling: common::greedy(4),
        fingerprint_seed: [0; 32],
    };
    let mut seen = 0;
    let result = engine.generate(&request, |_| {
        seen += 1;
        std::ops::ControlFlow::Continue(())
    });
    assert!(
        matches!(result, Err(EngineError::NonFiniteLogit { position: 2, .. })),
        "{result:?}"
    );
    assert_eq!(seen, 0);
}

// GIVEN config.json with one field broken
// WHEN it is read
// THEN the error names the field
#[test]
fn broken_configurations() {
    use serde_json::json;
    let cases = [
        (
            "architectures",
            json!(["GPT2LMHeadModel"]),
            "architecture `GPT2LMHeadModel`",
        ),
        ("vocab_size", json!(null), "field `vocab_size`: is missing"),
        ("vocab_size", json!(0), "field `vocab_size`"),
        ("hidden_size", json!(u32::MAX), "field `hidden_size`"),
        (
            "num_key_value_heads",
            json!(3),
            "field `num_key_value_heads`: 3 does not divide",
        ),
        ("head_dim", json!(15), "field `head_dim`: 15 is odd"),
        ("hidden_act", json!("gelu"), "field `hidden_act`: `gelu`"),
        ("rms_norm_eps", json!(-1.0), "field `rms_norm_eps`"),
        ("eos_token_id", json!(512), "field `eos_token_id`"),
        ("dtype", json!("float8_e4m3fn"), "field `dtype`"),
        (
            "rope_parameters",
            json!({"rope_type": "yarn", "factor": 4.0}),
            "rope type `yarn`",
        ),
        (
            "rope_parameters",
            json!({"rope_type": "linear"}),
            "`factor` is missing",
        ),
        (
            "rope_parameters",
            json!("default"),
            "field `rope_parameters`: is not an object",
        ),
        (
            "hidden_size",
            json!("many"),
            "field `hidden_size`: invalid type",
        ),
    ];
    let dir = golden_copy("llama-mha-tied");
    let path = dir.path().join("config.json");
    let whole = std::fs::read(&path).unwrap();
    for (field, value, expected) in cases {
        std::fs::write(&path, &whole).unwrap();
        edit_json(&path, |config| config[field] = value);
        let error = message(LlamaConfig::from_file(&path));
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("config.json"), "{error}");
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(message(LlamaConfig::from_file(&path)).contains("config.json: not valid JSON"));
}

// GIVEN a tokenizer of a larger vocabulary, and one that is cut short
// WHEN the model is loaded
// THEN the error says that it does not belong here
#[test]
fn foreign_tokenizer() {
    let dir = golden_copy("llama-mha-tied");
    let path = dir.path().join("tokenizer.json");
    let whole = std::fs::read(&path).unwrap();
    edit_json(&path, |tokenizer| {
        tokenizer["model"]["vocab"]["zzz"] = 512.into();
    });
    let error = load(dir.path());
    assert!(
        error.contains("id 512") && error.contains("another model"),
        "{error}"
    );
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = load(dir.path());
    assert!(error.contains("tokenizer.json: not a tokenizer"), "{error}");
}

// GIVEN device names that this build or machine cannot serve
// WHEN a model is loaded onto them
// THEN the error says what works
#[test]
fn unusable_devices() {
    let dir = common::golden("llama-mha-tied");
    // With the feature: no GPU at all, or not so many.
    let burn = match cfg!(feature = "cuda") {
        true => "GPU",
        false => "no burn for CUDA",
    };
    for (device, expected) in [
        ("cuda:99", "GPU"),
        ("cuda:x", "not a number"),
        ("cuda:-1", "not a number"),
        ("burn-cuda:99", burn),
        ("tpu", "known: cpu"),
        ("cpu:1", "no index"),
    ] {
        let error = message(Engine::load(&dir, device));
        assert!(
            error.contains(expected) && error.contains(device),
            "{error}"
        );
    }
}
