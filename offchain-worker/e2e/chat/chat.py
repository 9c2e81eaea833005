"""A conversation by the `openai` package: prints tokens as they come, and writes down what was asked and answered."""

import argparse
import json
import sys
import time

import openai


def turn(client, model, messages, options):
    """Asks once; what was answered, with times in milliseconds."""
    started = time.perf_counter()
    stream = client.chat.completions.create(
        model=model,
        messages=messages,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed + len(messages),
        stream=True,
        stream_options={"include_usage": True},
    )
    pieces, times, finish, usage, own = [], [], None, None, None
    for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                times.append((time.perf_counter() - started) * 1000)
                pieces.append(choice.delta.content)
                print(choice.delta.content, end="", flush=True)
            finish = choice.finish_reason or finish
        usage = chunk.usage or usage
        # What the gateway tells besides stands in the last chunk.
        own = getattr(chunk, "chasqui", None) or own
    print(flush=True)
    if own is None or usage is None:
        raise SystemExit("chat: the last chunk tells neither counts nor price")
    return {
        "text": "".join(pieces),
        "finish": finish,
        "firstTokenMs": times[0] if times else None,
        "totalMs": (time.perf_counter() - started) * 1000,
        "usage": usage.model_dump(exclude_none=True),
        "chasqui": own,
    }


def short(value):
    """The same with long texts cut, to be read by people."""
    if isinstance(value, dict):
        return {name: short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [short(one) for one in value]
    return value[:60] + "…" if isinstance(value, str) and len(value) > 66 else value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--json", required=True, help="file for what was answered")
    parser.add_argument("--max-tokens", type=int, default=40)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("lines", nargs="+", help="what the user says, turn by turn")
    options = parser.parse_args()
    # A key is part of the package's interface; a gateway that was started with --open asks for none.
    client = openai.OpenAI(base_url=options.base_url, api_key="none", max_retries=2, timeout=120)
    messages, turns = [], []
    for line in options.lines:
        messages.append({"role": "user", "content": line})
        print(f"\n    user       {line}\n    assistant  ", end="", flush=True)
        answer = turn(client, options.model, messages, options)
        messages.append({"role": "assistant", "content": answer["text"]})
        turns.append({"user": line, **answer})
    print("\n    the last chunk's field chasqui:")
    print("\n".join("    " + line for line in json.dumps(short(turns[-1]["chasqui"]), indent=2, ensure_ascii=False).splitlines()), flush=True)
    with open(options.json, "w") as file:
        json.dump({"package": openai.__version__, "python": sys.version.split()[0], "turns": turns}, file, indent=2)


if __name__ == "__main__":
    main()
