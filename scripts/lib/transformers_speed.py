"""PyTorch and transformers, eager, on model folders: the other system of `scripts/bench devices`.

Prints a table: prefill and decode of each folder, alone and several requests in one batch. The workload is that
of benches/devices.rs: the same prompts, greedy, a cache of keys and values, every token brought to the host. f32 is
computed as such (no TF32).
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM


def copy_bandwidth(device):
    """Bytes a second of a copy within the device's memory, read and written counted."""
    a = torch.empty(1 << 30, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    a.random_(0, 255)
    b.copy_(a)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    best = 0.0
    for _ in range(10):
        start.record()
        b.copy_(a)
        end.record()
        torch.cuda.synchronize()
        best = max(best, 2 * a.numel() / (start.elapsed_time(end) / 1e3))
    return best


def prompt(vocab, index, tokens):
    return [(index * 1009 + i * 7919) % vocab for i in range(tokens)]


@torch.inference_mode()
def run(model, prompts, output, device):
    """Seconds of prefill and of decode, and the tokens of each prompt."""
    ids = torch.tensor(prompts, device=device)
    torch.cuda.synchronize()
    start = time.perf_counter()
    out = model(ids, use_cache=True, logits_to_keep=1)
    last = out.logits[:, -1].argmax(-1, keepdim=True)
    made = [last.tolist()]
    prefill = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(output - 1):
        out = model(last, past_key_values=out.past_key_values, use_cache=True)
        last = out.logits[:, -1].argmax(-1, keepdim=True)
        made.append(last.tolist())
    decode = time.perf_counter() - start
    return prefill, decode, [[step[i][0] for step in made] for i in range(len(prompts))]


def spread(values):
    return [statistics.median(values), min(values), max(values)]


def shown(values):
    return "{:.0f} ({:.0f}–{:.0f})".format(*values)


def measure(folder, options, device):
    name = json.loads((folder / "config.json").read_text()).get("dtype", "float32")
    dtype = getattr(torch, name)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
    vocab = model.config.vocab_size
    alone = [prompt(vocab, 0, options.prompt)]
    for _ in range(2):
        run(model, alone, options.output, device)
    runs = [run(model, alone, options.output, device) for _ in range(options.runs)]
    figure = {
        "model": folder.name,
        "dtype": name,
        "prefill": spread([options.prompt / r[0] for r in runs]),
        "decode": spread([(options.output - 1) / r[1] for r in runs]),
        "tokens": runs[-1][2][0],
        "together": {},
    }
    for count in [1] + [int(n) for n in options.requests.split(",") if n]:
        prompts = [prompt(vocab, i, -(-options.prompt // 8)) for i in range(count)]
        run(model, prompts, options.output, device)
        rates = []
        for _ in range(options.runs):
            start = time.perf_counter()
            run(model, prompts, options.output, device)
            rates.append(count * options.output / (time.perf_counter() - start))
        figure["together"][str(count)] = spread(rates)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--output", type=int, default=64)
    parser.add_argument("--requests", default="8,32")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bandwidth", action="store_true", help="prints the device's, in GB/s, and ends")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(options.device)
    bandwidth = copy_bandwidth(device)
    if options.bandwidth:
        print(f"{bandwidth / 1e9:.0f}")
        return
    figures = [measure(folder, options, device) for folder in options.folders]
    counts = list(figures[0]["together"]) if figures else []
    print(
        f"PyTorch {torch.__version__}, transformers {transformers.__version__}, eager, "
        f"{torch.cuda.get_device_name(device)}, {bandwidth / 1e9:.0f} GB/s copied\n"
    )
    print("| model | prefill, tokens/s | decode, tokens/s |", *(f"{n} at once, tokens/s |" for n in counts))
    print("|---|---|---|" + "---|" * len(counts))
    for figure in figures:
        cells = [figure["prefill"], figure["decode"], *figure["together"].values()]
        print("|", figure["model"], "|", " | ".join(map(shown, cells)), "|")
    if options.json:
        report = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": torch.cuda.get_device_name(device),
            "copy_bandwidth": bandwidth,
            "figures": figures,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
