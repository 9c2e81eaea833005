//! Weights are handed out in the precision in which they are stored, and a damaged file is refused
//! with its name and the tensor's.

mod common;

use std::path::Path;

use chasqui_engine::cpu::matrix::Precision;
use chasqui_engine::weights::WeightFiles;
use chasqui_engine::{device, Architecture, Llama, LlamaConfig, WeightDtype};
use common::{edit_json, golden, golden_copy, golden_names, message, tiny_config};
use serde_json::json;
use tempfile::TempDir;

fn config(dir: &Path) -> LlamaConfig {
    LlamaConfig::from_file(&dir.join("config.json")).unwrap()
}

/// A safetensors file with this header, however wrong, and this many bytes behind it.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend((0..data).map(|i| i as u8));
    bytes
}

fn opened(bytes: &[u8]) -> chasqui_engine::Result<WeightFiles> {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
    WeightFiles::open(dir.path())
}

// GIVEN checkpoints in f32, f16 and bf16, in one file and in several
// WHEN every tensor that the configuration implies is read as a matrix or vector
// THEN matrices have the stored precision, and every number is that of the file
#[test]
fn matrices_keep_their_precision() {
    let mut seen = [false; 3];
    for name in golden_names() {
        let dir = golden(&name);
        let weights = WeightFiles::open(&dir).unwrap();
        weights.check(&config(&dir)).unwrap();
        for (tensor, shape) in config(&dir).tensor_shapes() {
            let values = weights.tensor(&tensor, &shape).unwrap();
            let stored = weights.tensor_bytes(&tensor, &shape).unwrap();
            let width = stored.bytes().len() / values.len();
            let [rows, cols] = match shape[..] {
                [rows, cols] => [rows, cols],
                _ => {
                    assert_eq!(weights.vector(&tensor, shape[0]).unwrap(), values);
                    continue;
                }
            };
            let matrix = weights.matrix(&tensor, [rows, cols]).unwrap();
            assert_eq!(matrix.bytes(), rows * cols * width, "{name} {tensor}");
            let (precision, place) = match stored.dtype {
                WeightDtype::F32 => (Precision::F32, 0),
                WeightDtype::F16 => (Precision::F16, 1),
                WeightDtype::Bf16 => (Precision::Bf16, 2),
            };
            assert_eq!(matrix.precision(), precision, "{name} {tensor}");
            seen[place] = true;
            let mut row = vec![0.0; cols];
            for index in 0..rows {
                matrix.row_to_f32(index, &mut row);
                assert_eq!(row, values[index * cols..][..cols], "{name} {tensor}");
            }
        }
    }
    assert_eq!(seen, [true; 3]);
}

// GIVEN checkpoints, and what they are said to take in memory
// WHEN their matrices are read, as they are stored and in int8
// THEN they take as much
#[test]
fn memory_is_what_matrices_take() {
    for name in golden_names() {
        let (dir, mut stored, mut int8) = (golden(&name), 0, 0);
        let (weights, config) = (WeightFiles::open(&dir).unwrap(), config(&dir));
        for (tensor, shape) in config.tensor_shapes() {
            match shape[..] {
                [rows, cols] => {
                    let matrix = weights.matrix(&tensor, [rows, cols]).unwrap();
                    stored += matrix.bytes() as u64;
                    let looked_up = tensor.contains("embed") && !config.tie_word_embeddings;
                    int8 += match looked_up {
                        true => matrix.bytes() as u64,
                        false => matrix.quantise().bytes() as u64,
                    };
                }
                _ => {
                    stored += 4 * shape[0] as u64;
                    int8 += 4 * shape[0] as u64;
                }
            }
        }
        assert_eq!(weights.memory(&config, None).unwrap(), stored, "{name}");
        let said = weights.memory(&config, Some(Precision::Int8)).unwrap();
        assert_eq!(said, int8, "{name}");
        assert!(said < stored, "{name}");
    }
}

// GIVEN a file whose header has an odd length, so that no tensor is aligned
// WHEN a matrix is read
// THEN its numbers are those of the file
#[test]
fn unaligned_tensors_are_read() {
    for pad in 0..8 {
        let header = format!(
            r#"{{"a":{{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}},"b":{{"dtype":"F32","shape":[1,2],"data_offsets":[12,20]}}}}{}"#,
            " ".repeat(pad)
        );
        let weights = opened(&file(&header, 20)).unwrap();
        for (name, shape) in [("a", [2, 3]), ("b", [1, 2])] {
            let matrix = weights.matrix(name, shape).unwrap();
            let values = weights.tensor(name, &shape).unwrap();
            let mut row = vec![0.0; shape[1]];
            matrix.row_to_f32(0, &mut row);
            assert_eq!(row, values[..shape[1]], "{name}, {pad} bytes of padding");
        }
        let b = weights.tensor("b", &[1, 2]).unwrap();
        assert_eq!(b[0].to_bits(), 0x0f0e_0d0c);
    }
}

// GIVEN files whose header is too long, cut, not JSON, or names bytes that are not there, twice or
//       too many
// WHEN they are opened
// THEN the error names the file and says that it is corrupt
#[test]
fn corrupt_headers() {
    let entry = |offsets: &str, shape: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let mut huge = (1u64 << 40).to_le_bytes().to_vec();
    huge.extend([b' '; 100]);
    let mut largest = u64::MAX.to_le_bytes().to_vec();
    largest.extend([b' '; 100]);
    let cases = [
        (vec![], "0 bytes"),
        (vec![1, 2, 3], "3 bytes"),
        (huge, "declares a header of 1099511627776 bytes"),
        (largest, "declares a header of"),
        (file("{}", 10), "corrupt"),
        (file("not json", 0), "corrupt"),
        (file(&entry("[0,16]", "[4]"), 12), "corrupt"),
        (file(&entry("[4,20]", "[4]"), 20), "corrupt"),
        (file(&entry("[0,16]", "[3]"), 16), "corrupt"),
        (file(&entry("[16,0]", "[4]"), 16), "corrupt"),
        (
            file(&entry("[0,16]", "[4611686018427387904,4]"), 16),
            "corrupt",
        ),
        (
            file(&entry("[0,18446744073709551615]", "[4]"), 16),
            "corrupt",
        ),
        (file(&entry("[0,16]", "[-4]"), 16), "corrupt"),
    ];
    for (bytes, expected) in cases {
        let error = message(opened(&bytes));
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(
            error.contains("model.safetensors: truncated or corrupt"),
            "{error}"
        );
    }
}

// GIVEN tensors that are missing, of another shape, or of a type that is not read
// WHEN the folder is checked without loading it
// THEN the error names file and tensor
#[test]
fn folders_are_checked_without_loading() {
    let dir = golden("llama-mha-tied");
    let weights = WeightFiles::open(&dir).unwrap();
    let deeper = LlamaConfig {
        num_hidden_layers: 3,
        ..config(&dir)
    };
    let error = message(weights.check(&deeper));
    assert!(
        error.contains("model.safetensors: tensor `model.layers.2."),
        "{error}"
    );
    assert!(error.contains("is missing"), "{error}");
    let wider = LlamaConfig {
        intermediate_size: 129,
        ..config(&dir)
    };
    let error = message(weights.check(&wider));
    assert!(
        error.contains("`model.layers.0.mlp.gate_proj.weight` has shape [128, 64]"),
        "{error}"
    );
    let header =
        r#"{"model.embed_tokens.weight":{"dtype":"I16","shape":[64,32],"data_offsets":[0,4096]}}"#;
    let error = message(opened(&file(header, 4_096)).unwrap().check(&tiny_config()));
    assert!(
        error.contains("`model.embed_tokens.weight` is stored as I16"),
        "{error}"
    );
}

// GIVEN an index that names a file that is not there, no file at all, or more than there can be
// WHEN the folder is opened
// THEN the error names the index, the file and the tensor
#[test]
fn indexes_that_do_not_fit() {
    let dir = golden_copy("llama-gqa-bf16-sharded");
    let path = dir.path().join("model.safetensors.index.json");
    edit_json(&path, |index| {
        index["weight_map"]["model.norm.weight"] = "model-00009-of-00009.safetensors".into();
    });
    let error = message(WeightFiles::open(dir.path()));
    assert!(
        error.contains("model-00009-of-00009.safetensors: missing"),
        "{error}"
    );
    assert!(
        error.contains("index.json names it for tensor `model.norm.weight`"),
        "{error}"
    );

    edit_json(&path, |index| index["weight_map"] = json!({}));
    assert!(message(WeightFiles::open(dir.path())).contains("`weight_map` is empty"));
    edit_json(&path, |index| *index = json!({}));
    assert!(message(WeightFiles::open(dir.path())).contains("index.json: not valid JSON"));
    for name in ["..", ".", "", "/etc/passwd", "a/b.safetensors"] {
        edit_json(&path, |index| *index = json!({"weight_map": {"t": name}}));
        let error = message(WeightFiles::open(dir.path()));
        assert!(
            error.contains("not the name of a file in this folder"),
            "{name}: {error}"
        );
    }
}

// GIVEN an index that looks for a tensor in a shard that does not hold it
// WHEN the tensor is read
// THEN the error names that shard and the tensor
#[test]
fn tensors_in_another_shard() {
    let dir = golden_copy("llama-gqa-bf16-sharded");
    let path = dir.path().join("model.safetensors.index.json");
    let name = "model.norm.weight";
    let mut shard = String::new();
    edit_json(&path, |index| {
        let held = index["weight_map"][name].as_str().unwrap().to_string();
        let files = index["weight_map"].as_object().unwrap().values();
        let other = files.filter_map(|f| f.as_str()).find(|f| **f != held);
        shard = other.unwrap().to_string();
        index["weight_map"][name] = shard.as_str().into();
    });
    let error = message(WeightFiles::open(dir.path()).unwrap().vector(name, 96));
    assert!(
        error.contains(&format!("{shard}: tensor `{name}` is missing")),
        "{error}"
    );
}

// GIVEN configurations of every kind
// WHEN their tensors are listed
// THEN they are those of the modules, by name and shape, and as many numbers as is said
#[test]
fn listed_tensors_are_those_of_the_model() {
    let cpu = device::open("cpu").unwrap();
    let base = tiny_config();
    let configs = [
        base.clone(),
        LlamaConfig {
            tie_word_embeddings: true,
            architecture: Architecture::Qwen2,
            qkv_bias: true,
            ..base.clone()
        },
        LlamaConfig {
            qkv_bias: true,
            attention_output_bias: true,
            mlp_bias: true,
            ..base.clone()
        },
        LlamaConfig {
            architecture: Architecture::Qwen3,
            qk_norm: true,
            head_dim: 12,
            ..base
        },
    ];
    for config in configs {
        let model: Llama = config.init(1, &cpu);
        let mut ours: Vec<_> = model
            .named_parameters()
            .unwrap()
            .into_iter()
            .map(|(name, shape, _)| (name, shape))
            .collect();
        let mut listed = config.tensor_shapes();
        ours.sort();
        listed.sort();
        assert_eq!(listed, ours);
        let count: usize = listed
            .iter()
            .map(|(_, s)| s.iter().product::<usize>())
            .sum();
        assert_eq!(count as u64, config.num_parameters());
    }
}
