//! `checkpoint compare` on this machine: what models lose on held-out text, without a node.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use chasqui_engine::weights::{adapter_names, save_adapter, AdapterConfig};
use chasqui_primitives::blob::CHUNK_BYTES;
use chasqui_training::{
    corpus::{Corpus, Split},
    diloco::Dataset,
};
use chasqui_worker::blobs::{BlobStore, Manifest, ManifestEntry};
use common::{copy_of, fails, golden, json, text};
use parity_scale_codec::Encode;
use serde_json::Value;
use tempfile::TempDir;

const MODEL: &str = "llama-mha-tied";
/// Of the same vocabulary and tokenizer.
const OTHER: &str = "qwen3-qknorm";
/// A node that is not there.
const NOWHERE: &str = "ws://127.0.0.1:9";

struct Place {
    folder: TempDir,
    texts: PathBuf,
    blobs: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let texts = folder.path().join("texts");
        fs::create_dir(&texts).unwrap();
        let corpus = Corpus::new(5, Split::Train);
        for index in 0..160 {
            let path = texts.join(format!("{index:03}.txt"));
            fs::write(path, corpus.document(index)).unwrap();
        }
        Self {
            blobs: folder.path().join("blobs"),
            texts,
            folder,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A dataset of the texts, a fifth of them held out.
    fn data(&self, model: &Path, name: &str) -> PathBuf {
        self.data_of(model, name, "200000")
    }

    fn data_of(&self, model: &Path, name: &str, held_out: &str) -> PathBuf {
        let file = self.file(name);
        json(&[
            "dataset",
            "build",
            text(&self.texts),
            "--tokenizer",
            text(model),
            "--held-out-ppm",
            held_out,
            "--out",
            text(&file),
            "--json",
        ]);
        file
    }

    fn arguments<'a>(&'a self, a: &'a str, b: &'a str, data: &'a str) -> Vec<&'a str> {
        vec![
            "checkpoint",
            "compare",
            a,
            b,
            "--data",
            data,
            "--blob-dir",
            text(&self.blobs),
            "--node",
            NOWHERE,
            "--json",
        ]
    }

    fn compare(&self, a: &Path, b: &Path, data: &Path, more: &[&str]) -> Value {
        let mut arguments = self.arguments(text(a), text(b), text(data));
        arguments.extend(more);
        json(&arguments)
    }

    /// What is said of a comparison that fails; with `--json` the answer holds the same.
    fn refusal(&self, a: &str, b: &str, data: &str, more: &[&str]) -> String {
        let mut arguments = self.arguments(a, b, data);
        arguments.retain(|argument| *argument != "--json");
        arguments.extend(more);
        fails(&arguments)
    }
}

fn number(value: &Value, field: &str) -> f64 {
    value[field]
        .as_f64()
        .unwrap_or_else(|| panic!("{field} of {value}"))
}

// GIVEN a dataset with a held-out part
// WHEN two models are compared on it
// THEN losses are the means of what `score` says of each window, window by window, and the rest follows from them
#[test]
fn losses_are_what_score_says_of_the_held_out_windows() {
    let place = Place::new();
    let (a, b) = (golden(MODEL), golden(OTHER));
    let data = place.data(&a, "data");
    let found = place.compare(&a, &b, &data, &["--tokens", "1200"]);
    let window = found["window"].as_u64().unwrap();
    // The context has 512 tokens, and the last one of a window is fed, too.
    assert_eq!(window, 511);
    let dataset = Dataset::open(&data).unwrap();
    for (name, model) in [("a", &a), ("b", &b)] {
        let (mut sum, mut at) = (0.0, 0);
        while at < 1200 {
            let count = window.min(1200 - at);
            let ids = dataset.held_out_tokens(at, count as usize + 1).unwrap();
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            let ids = ids.join(",");
            let scored = json(&["score", "--model", text(model), "--ids", &ids, "--json"]);
            let logs = scored["next_log_probabilities"].as_array().unwrap();
            assert_eq!(logs.len() as u64, count);
            sum -= logs.iter().map(|log| log.as_f64().unwrap()).sum::<f64>();
            at += count;
        }
        let shown = &found[name];
        let loss = number(shown, "loss");
        assert!((loss - sum / 1200.0).abs() < 1e-9, "{loss} {sum}");
        assert_eq!(shown["tokens"], 1200);
        assert_eq!(shown["lossMicro"], (loss * 1e6).round() as u64);
        assert_eq!(number(shown, "perplexity"), loss.exp());
        let bits = loss * 1200.0 / std::f64::consts::LN_2 / number(shown, "bytes");
        assert!((number(shown, "bitsPerByte") - bits).abs() < 1e-9);
    }
    let difference = number(&found["b"], "loss") - number(&found["a"], "loss");
    assert!((number(&found, "difference") - difference).abs() < 1e-9);
    assert!(number(&found, "standardError") > 0.0);
    let better = if difference < 0.0 { "b" } else { "a" };
    assert_eq!(found["better"], better);
}

// GIVEN the shipped models, of which one is larger, and text like what they were trained on
// WHEN they are compared with one thread or several, again and again
// THEN every digit is the same each time, and the larger one loses less
#[test]
fn every_run_and_every_number_of_threads_gives_the_same_digits() {
    let place = Place::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let (large, small) = (
        models.join("chasqui-tales"),
        models.join("chasqui-tales-small"),
    );
    let data = place.data(&large, "data");
    let of = |threads: &str| {
        let more = ["--tokens", "1500", "--threads", threads];
        place.compare(&large, &small, &data, &more)
    };
    let first = of("1");
    for threads in ["1", "2", "5"] {
        assert_eq!(of(threads), first, "{threads}");
    }
    assert_eq!(first["better"], "a", "{first}");
    assert!(number(&first, "difference") > 2.0 * number(&first, "standardError"));
    // AND a model is no better than itself
    let same = place.compare(&large, &large, &data, &["--tokens", "600"]);
    assert_eq!(same["better"], "neither");
    assert_eq!(number(&same, "difference"), 0.0);
}

// GIVEN models with different tokenizers
// WHEN they are compared on one dataset THEN that is refused, with what to do
// WHEN each has a dataset of the same texts THEN they are compared by bits per byte of the same text
#[test]
fn models_with_different_tokenizers_are_compared_by_bits_per_byte() {
    let place = Place::new();
    let tales = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/chasqui-tales");
    let other = golden(MODEL);
    let (one, two) = (place.data(&tales, "one"), place.data(&other, "two"));
    let said = place.refusal(text(&tales), text(&other), text(&one), &[]);
    for needed in ["tokenizer", "--other-data", text(&other)] {
        assert!(said.contains(needed), "{needed}: {said}");
    }
    let found = place.compare(&tales, &other, &one, &["--other-data", text(&two)]);
    assert_eq!(found["difference"], Value::Null);
    assert_eq!(found["a"]["bytes"], found["b"]["bytes"]);
    assert_ne!(found["a"]["tokens"], found["b"]["tokens"]);
    assert!(number(&found["a"], "bitsPerByte") < number(&found["b"], "bitsPerByte"));
    assert_eq!(found["better"], "a");
    // AND other texts are refused
    fs::write(place.texts.join("more.txt"), "a text that was not there").unwrap();
    let more = place.data_of(&other, "more", "600000");
    let said = place.refusal(
        text(&tales),
        text(&other),
        text(&one),
        &["--other-data", text(&more)],
    );
    assert!(
        said.contains("--other-data") && said.contains("same folders"),
        "{said}"
    );
}

fn import(place: &Place, model: &Path) -> String {
    let imported = json(&[
        "model",
        "import",
        text(model),
        "--blob-dir",
        text(&place.blobs),
        "--json",
    ]);
    imported["root"].as_str().unwrap().to_string()
}

/// An adapter of a golden model whose second matrices hold `value`.
fn adapter(into: &Path, parent: Option<&str>, value: f32) {
    let config = AdapterConfig {
        r: 2,
        lora_alpha: 4.0,
        target_modules: ["q_proj".to_string()].into(),
        parent: parent.map(Into::into),
    };
    let mut tensors = Vec::new();
    for layer in 0..2 {
        let [a, b] = adapter_names(&format!("model.layers.{layer}.self_attn.q_proj"));
        tensors.push((a, vec![2, 64], vec![0.5; 128]));
        tensors.push((b, vec![64, 2], vec![value; 128]));
    }
    save_adapter(into, &config, &tensors).unwrap();
}

/// Puts an adapter's files and manifest into the blob folder, as a run does; its root.
fn share(place: &Place, folder: &Path) -> String {
    let store = BlobStore::open_dir(&place.blobs).unwrap();
    let files = ["adapter_config.json", "adapter_model.safetensors"].map(|name| {
        let info = store.put_file(&folder.join(name), CHUNK_BYTES).unwrap();
        ManifestEntry {
            name: name.into(),
            root: info.root(),
            len: info.len,
        }
    });
    let manifest = Manifest {
        files: files.to_vec(),
    };
    let info = store.put_bytes(&manifest.encode(), CHUNK_BYTES).unwrap();
    format!("{:?}", info.root())
}

// GIVEN a base and adapters of it, in the blob folder and in folders
// WHEN they are compared by root
// THEN an adapter that changes nothing loses what its base loses, another one something else, and each names its base
#[test]
fn adapters_are_compared_with_what_they_change() {
    let place = Place::new();
    let model = golden(MODEL);
    let data = place.data(&model, "data");
    let base = import(&place, &model);
    let (idle, busy) = (place.file("idle"), place.file("busy"));
    adapter(&idle, Some(&base), 0.0);
    adapter(&busy, Some(&base), 0.4);
    let (idle_root, busy_root) = (share(&place, &idle), share(&place, &busy));
    let more = ["--precision", "f32", "--tokens", "600"];
    let of = |a: &str, b: &str| place.compare(Path::new(a), Path::new(b), &data, &more);
    let found = of(&base, &idle_root);
    assert_eq!(found["better"], "neither", "{found}");
    assert_eq!(found["b"]["base"], base.as_str());
    let found = of(&base, &busy_root);
    assert_ne!(found["better"], "neither", "{found}");
    // AND the same comes of folders as of roots
    let folders = place.compare(&model, &busy, &data, &more);
    for name in ["a", "b"] {
        assert_eq!(folders[name]["loss"], found[name]["loss"]);
    }
    // AND nothing is left beside the blobs
    let names = fs::read_dir(&place.blobs).unwrap();
    let left = names.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("evaluation-")
    });
    assert_eq!(left.count(), 0);
    // GIVEN an adapter that does not say what it changes THEN --base does, but no adapter is a base
    let orphan = place.file("orphan");
    adapter(&orphan, None, 0.4);
    let (orphan, data) = (text(&orphan), text(&data));
    let said = place.refusal(text(&model), orphan, data, &[]);
    assert!(said.contains("--base"), "{said}");
    let said = place.refusal(text(&model), orphan, data, &["--base", text(&busy)]);
    assert!(said.contains("is an adapter itself"), "{said}");
    let mut given = more.to_vec();
    given.extend(["--base", text(&model)]);
    let found = place.compare(&model, Path::new(orphan), Path::new(data), &given);
    assert_eq!(found["b"]["loss"], folders["b"]["loss"]);
}

// GIVEN names of nothing, damaged models and datasets, and numbers that cannot be
// WHEN they are to be compared
// THEN each is refused by what is wrong and what to do, without an answer
#[test]
fn what_cannot_be_compared_is_named() {
    let place = Place::new();
    let model = golden(MODEL);
    let data = place.data(&model, "data");
    let none = place.data_of(&model, "none", "0");
    let broken = place.file("broken");
    copy_of(MODEL, &broken);
    let weights = broken.join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let cut = place.file("cut");
    let whole = fs::read(&data).unwrap();
    fs::write(&cut, &whole[..whole.len() - 3]).unwrap();
    let root = format!("0x{}", "17".repeat(32));
    let (model, data) = (text(&model), text(&data));
    let cases: [(&str, &str, &[&str], &str); 9] = [
        ("nothing", data, &[], "neither a folder nor a root"),
        ("0x12", data, &[], "neither a folder nor a root"),
        (&root, data, &[], "must be fetched"),
        (text(&broken), data, &[], "model.safetensors"),
        (model, "nothing", &[], "neither a file nor a root"),
        (model, &root, &[], "must be fetched"),
        (model, text(&cut), &[], "tokens take"),
        (model, text(&none), &[], "--held-out-ppm"),
        (model, data, &["--tokens", "0"], "--tokens"),
    ];
    for (other, data, more, named) in cases {
        let said = place.refusal(model, other, data, more);
        assert!(said.contains(named), "{named}: {said}");
    }
    // A model of which some bits are not finite numbers.
    let wild = place.file("wild");
    copy_of(MODEL, &wild);
    let mut bytes = fs::read(wild.join("model.safetensors")).unwrap();
    let end = bytes.len();
    bytes[end - 4_000..].fill(0xff);
    fs::write(wild.join("model.safetensors"), bytes).unwrap();
    let said = place.refusal(model, text(&wild), data, &["--tokens", "100"]);
    assert!(said.contains("finite"), "{said}");
}

// GIVEN commands that need a node which is not there, keys and roots that are none
// WHEN they are run
// THEN each says so, and --json holds the same
#[test]
fn commands_on_the_chain_say_what_is_wrong_before_they_compute() {
    let place = Place::new();
    let root = format!("0x{}", "17".repeat(32));
    let blobs = text(&place.blobs);
    for command in ["evaluations", "lineage"] {
        let said = fails(&["checkpoint", command, &root, "--node", NOWHERE]);
        assert!(said.contains("127.0.0.1:9"), "{said}");
        let said = fails(&["checkpoint", command, "0x17"]);
        assert!(said.contains("64 hexadecimal digits"), "{said}");
    }
    let evaluate = |key: &str| {
        fails(&[
            "checkpoint",
            "evaluate",
            &root,
            "--data",
            &root,
            "--key",
            key,
            "--blob-dir",
            blobs,
            "--node",
            NOWHERE,
        ])
    };
    assert!(evaluate("//Bob").contains("127.0.0.1:9"));
    assert!(evaluate("no key").contains("--key"));
    let said = fails(&["checkpoint", "lineage", &root, "--depth", "65"]);
    assert!(said.contains("--depth"), "{said}");
}
