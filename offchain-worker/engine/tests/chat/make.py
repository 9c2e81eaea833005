#!/usr/bin/env python3
"""Writes expected.json: what the reference implementation makes of the templates beside this file.

Not run by any test. Needs Python 3.11 and, from PyPI: transformers==5.23.0
Usage: make.py
"""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from transformers.utils.chat_template_utils import render_jinja_template

HERE = Path(__file__).resolve().parent
TOKENS = dict(bos_token="<|bos|>", eos_token="<|eos|>")

CHATS = {
    "question": [("user", "  How many mice? \n")],
    "system": [("system", "You count mice.\n"), ("user", "Hello <b> & \"you\" ñandú 🦙")],
    "turns": [
        ("system", "Answer in one word."),
        ("user", "One?"),
        ("assistant", "<think>\nOne, then.\n</think>\n\nYes. "),
        ("user", "Two?"),
        ("assistant", "No"),
        ("user", "Three?\nReally?"),
    ],
    "answered": [("user", "a"), ("assistant", "<think>\nhm\n</think>\n\nb")],
    "tools": [("user", "weather?"), ("tool", "rain"), ("tool", "wind"), ("assistant", "Wet.")],
    "disorder": [("user", "a"), ("user", "b")],
    "stranger": [("user", "a"), ("assistant", "b"), ("oracle", "c")],
}


def main():
    cases = []
    for path in sorted(HERE.glob("*.jinja")):
        for name, chat in CHATS.items():
            messages = [dict(role=role, content=content) for role, content in chat]
            for prompted in (False, True):
                case = dict(template=path.stem, chat=name, messages=messages, prompted=prompted)
                try:
                    rendered, _ = render_jinja_template(
                        conversations=[messages],
                        chat_template=path.read_text(),
                        add_generation_prompt=prompted,
                        **TOKENS,
                    )
                    case["expected"] = rendered[0]
                except Exception as error:
                    case["refused"] = str(error)
                cases.append(case)
    text = json.dumps(dict(tokens=TOKENS, cases=cases), ensure_ascii=False, indent=1)
    (HERE / "expected.json").write_text(text + "\n")
    print(len(cases), "cases")


main()
