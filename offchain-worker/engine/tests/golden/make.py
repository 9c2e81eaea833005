#!/usr/bin/env python3
"""Makes the golden cases listed in CASES beside this file, with the reference implementation.

Not run by any test. Needs Python 3.11 and, from PyPI:
    transformers==5.23.0 torch==2.15.0 safetensors==0.8.0 tokenizers==0.23.3 numpy==2.4.6
Usage: make.py [NAME ...]    (all cases without a name; a folder that exists is replaced)

A case is a random model, written to disk, and then loaded again from that folder by plain
`from_pretrained(dtype=float32)`: the expected tensors are what anybody gets who downloads the folder.
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, logging

HERE = Path(__file__).resolve().parent
# Every case has the tokenizer of the first one.
TOKENIZER = HERE / "llama-mha-tied"
TEXT = (
    "Every worker that answers 12 prompts in Quechua (ñawpaq), from 東京 or Zürich, earns 3.5 DOT; "
    "whoever checks them again sees the same tokens and votes on block 4096 before round 7 ends."
)
GREEDY = 24
# A smaller gap between the best two logits could turn with the order of a sum.
MARGIN = 1e-2

BF16, F16, F32 = torch.bfloat16, torch.float16, torch.float32

# `config`: fields of config.json in the newer style. `file`: what replaces or (None) removes fields
# of the written config.json, for older styles. `tokens`: length of the input with its first id.
CASES = {
    "qwen2-bias-f16": dict(
        dtype=F16, tokens=80, seed=1,
        config=dict(
            model_type="qwen2", hidden_size=64, intermediate_size=96, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
            rope_parameters=dict(rope_type="default", rope_theta=1e6),
        ),
    ),
    "llama1-old-f16": dict(
        dtype=F16, tokens=17, seed=2, frequency_tensors=True,
        config=dict(
            model_type="llama", hidden_size=64, intermediate_size=100, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=2048,
        ),
        file=dict(
            attention_bias=None, attention_dropout=None, dtype=None, head_dim=None, mlp_bias=None,
            num_key_value_heads=None, pretraining_tp=None, rope_parameters=None,
            pad_token_id=0, torch_dtype="float16", transformers_version="4.28.0",
        ),
    ),
    "llama-linear-old": dict(
        dtype=F32, tokens=50, seed=3,
        config=dict(
            model_type="llama", hidden_size=48, intermediate_size=96, num_hidden_layers=1,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=2048,
            rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0),
        ),
        file=dict(
            dtype=None, head_dim=None, mlp_bias=None, rope_parameters=None,
            rope_scaling=dict(type="linear", factor=4.0),
            torch_dtype="float32", transformers_version="4.36.2",
        ),
    ),
    "llama-linear-new-bf16": dict(
        dtype=BF16, tokens=17, seed=4,
        config=dict(
            model_type="llama", hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
            rope_parameters=dict(rope_type="linear", factor=2.5, rope_theta=500000.0),
        ),
    ),
    "llama3-tied-old-bf16": dict(
        dtype=BF16, tokens=80, seed=5,
        config=dict(
            model_type="llama", hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=1, head_dim=24, tie_word_embeddings=True,
            rms_norm_eps=1e-5, max_position_embeddings=131072, eos_token_id=[1, 5, 9],
            rope_parameters=dict(
                rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0,
                high_freq_factor=4.0, original_max_position_embeddings=48,
            ),
        ),
        file=dict(
            dtype=None, rope_parameters=None, rope_theta=500000.0,
            rope_scaling=dict(
                factor=32.0, high_freq_factor=4.0, low_freq_factor=1.0,
                original_max_position_embeddings=48, rope_type="llama3",
            ),
            torch_dtype="bfloat16", transformers_version="4.45.0.dev0",
        ),
    ),
    "llama-all-biases": dict(
        dtype=F32, tokens=17, seed=6,
        config=dict(
            model_type="llama", hidden_size=48, intermediate_size=80, num_hidden_layers=1,
            num_attention_heads=6, num_key_value_heads=3, attention_bias=True, mlp_bias=True,
            max_position_embeddings=512,
        ),
    ),
    "llama-tied-bf16": dict(
        dtype=BF16, tokens=80, seed=7,
        config=dict(
            model_type="llama", hidden_size=80, intermediate_size=112, num_hidden_layers=2,
            num_attention_heads=5, num_key_value_heads=5, tie_word_embeddings=True,
            max_position_embeddings=8192,
        ),
    ),
    "llama-odd-bf16": dict(
        dtype=BF16, tokens=33, seed=8,
        config=dict(
            model_type="llama", vocab_size=509, hidden_size=105, intermediate_size=173,
            num_hidden_layers=1, num_attention_heads=7, num_key_value_heads=1, head_dim=20,
            max_position_embeddings=1000,
        ),
    ),
    "qwen2-odd-f16": dict(
        dtype=F16, tokens=17, seed=9,
        config=dict(
            model_type="qwen2", vocab_size=331, hidden_size=84, intermediate_size=51,
            num_hidden_layers=2, num_attention_heads=7, num_key_value_heads=7,
            tie_word_embeddings=True, max_position_embeddings=1024,
        ),
    ),
    "mistral-window": dict(
        dtype=F32, tokens=80, seed=10,
        config=dict(
            model_type="mistral", vocab_size=347, hidden_size=50, intermediate_size=99,
            num_hidden_layers=1, num_attention_heads=3, num_key_value_heads=1, head_dim=24,
            sliding_window=128, max_position_embeddings=32768, tie_word_embeddings=True,
        ),
        file=dict(
            dtype=None, rope_parameters=None, rope_theta=10000.0,
            torch_dtype="float32", transformers_version="4.34.0.dev0",
        ),
    ),
    "qwen3-tied-f16": dict(
        dtype=F16, tokens=17, seed=11,
        config=dict(
            model_type="qwen3", hidden_size=48, intermediate_size=144, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=32, tie_word_embeddings=True,
            max_position_embeddings=40960,
            rope_parameters=dict(rope_type="default", rope_theta=1e6),
        ),
    ),
    "llama-two-shards": dict(
        dtype=F32, tokens=1, seed=12, shard="120KB",
        config=dict(
            model_type="llama", hidden_size=48, intermediate_size=72, num_hidden_layers=1,
            num_attention_heads=3, num_key_value_heads=3, max_position_embeddings=512,
        ),
    ),
}


def text_of(tokenizer: Tokenizer, count: int) -> str:
    """The start of TEXT that has `count` tokens."""
    for end in range(len(TEXT) + 1):
        if len(tokenizer.encode(TEXT[:end]).ids) == count:
            return TEXT[:end]
    raise SystemExit(f"no start of TEXT has {count} tokens")


def fill(model: torch.nn.Module, seed: int, dtype: torch.dtype) -> None:
    """Random parameters large enough for every part of the model to show in the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = torch.randn(parameter.shape, generator=generator, dtype=F32)
            if name.endswith("norm.weight"):
                values = 1 + 0.2 * values
            elif name.endswith("bias"):
                values = 0.5 * values
            elif "embed_tokens" in name:
                values = 0.3 * values
            else:
                values = values * 1.4 / parameter.shape[1] ** 0.5
            parameter.copy_(values.to(dtype))


def greedy(model, ids: list[int]) -> tuple[list[int], float]:
    """GREEDY tokens, each from a whole pass, and the smallest gap between the best two logits."""
    ids, start, gap = list(ids), len(ids), float("inf")
    for _ in range(GREEDY):
        best = model(torch.tensor([ids])).logits[0, -1].topk(2)
        gap = min(gap, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return ids[start:], gap


def make(name: str, case: dict) -> None:
    folder, dtype = HERE / name, case["dtype"]
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = Tokenizer.from_file(str(TOKENIZER / "tokenizer.json"))
    text = text_of(tokenizer, case["tokens"] - 1)
    ids = [0] + tokenizer.encode(text).ids
    fields = dict(vocab_size=384, bos_token_id=0, eos_token_id=1) | case["config"]
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    config.architectures = None
    for seed in range(case["seed"] * 1000, case["seed"] * 1000 + 100):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
        fill(model, seed, dtype)
        model.save_pretrained(folder, max_shard_size=case.get("shard", "1GB"))
        path = folder / "config.json"
        written = json.loads(path.read_text())
        for field, value in case.get("file", {}).items():
            written.pop(field, None)
            if value is not None:
                written[field] = value
        path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
        if case.get("frequency_tensors"):
            # The first Llama checkpoints held the frequencies too, rounded; nobody reads them now.
            weights = load_file(folder / "model.safetensors")
            frequencies = model.model.rotary_emb.inv_freq.to(dtype)
            for layer in range(config.num_hidden_layers):
                key = f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"
                weights[key] = frequencies.clone()
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=F32).eval()
        with torch.no_grad():
            output = loaded(torch.tensor([ids]), output_hidden_states=True)
            tokens, gap = greedy(loaded, ids)
        if gap >= MARGIN and len(set(tokens)) >= 4:
            break
    else:
        raise SystemExit(f"{name}: no seed gives clear greedy tokens")

    save_file(
        {
            "input_ids": torch.tensor(ids),
            "logits": output.logits[0].contiguous(),
            "hidden": output.hidden_states[-1][0].contiguous(),
            "greedy": torch.tensor(tokens),
            "inverse_frequencies": loaded.model.rotary_emb.inv_freq.float(),
        },
        folder / "expected.safetensors",
    )
    about = dict(
        text=text,
        arch=config.model_type,
        dtype=str(dtype).removeprefix("torch."),
        note="logits computed in float32 by transformers from this folder, loaded with from_pretrained",
    )
    (folder / "case.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / file, folder / file)
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in folder.iterdir())
    spread = float(output.logits.std())
    files = sum(file.suffix == ".safetensors" for file in folder.iterdir()) - 1
    print(
        f"{name}: seed {seed}, {len(ids)} ids, {files} weight file(s), {size / 1e3:.0f} kB, "
        f"logits' deviation {spread:.2f}, gap {gap:.3f}, {len(set(tokens))} different tokens"
    )


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name in sys.argv[1:] or CASES:
        make(name, CASES[name])


if __name__ == "__main__":
    main()
