"""Writes golden.json: what an exact engine must say to a few chats, token by token.

Weights are those of the model file, dequantised to F32; decoding is greedy. "close" lists the
positions (0 = first new token) where the two best logits are nearer than 1e-3: there another
order of additions may rightly choose the other token, and comparison should stop.
"""

import argparse
import json
from pathlib import Path

import jinja2
import torch

from corpus import MODEL_DIR
from load_gguf import load
from model import greedy

NEW_TOKENS = 40
CHATS = [
    [{"role": "user", "content": "How do I start feilun?"}],
    [{"role": "user", "content": "飞轮的默认端口是多少？"}],
    [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "What is a KV block?"}],
    [{"role": "user", "content": "余额用完了会怎样？"}],
    [{"role": "user", "content": "Tell me a story about a fox"}],
    [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "你好！我是 feilun-nano，可以问我关于飞轮的问题。"}, {"role": "user", "content": "12 + 7 = ?"}],
]


def golden(path: Path) -> list[dict]:
    model, chat, meta = load(path)
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(meta["tokenizer.chat_template"])
    rows = []
    for messages in CHATS:
        ids = chat.prompt(messages)
        # -1 is no token: the list runs on past the end marker, so that every engine does all 40 steps.
        steps = list(greedy(model, ids, NEW_TOKENS, stop=-1))
        best = [torch.topk(logits, 2).values for _, logits in steps]
        rows.append({
            "messages": messages, "prompt": template.render(messages=messages, add_generation_prompt=True), "prompt_ids": ids,
            "greedy_ids": [token for token, _ in steps], "text": chat.text([t for t, _ in steps]),
            "close": [i for i, b in enumerate(best) if b[0] - b[1] < 1e-3],
            "first_logits": [round(float(v), 5) for v in steps[0][1][:16]],
        })
    return rows


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguf", type=Path, default=MODEL_DIR / "feilun-nano.gguf")
    p.add_argument("--out", type=Path, default=MODEL_DIR / "golden.json")
    a = p.parse_args()
    a.out.write_text(json.dumps(golden(a.gguf), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {a.out}")
