"""Trains feilun-nano from nothing: corpus, tokenizer, network. Writes a work folder:

    corpus.jsonl  tokenizer.json  weights.pt (the network)  train.json (what was done, in numbers)

`export_gguf.py` makes the model file from it. Same seed, same machine, same threads: same weights.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import corpus
from model import Nano, Shape
from optimizer import optimizers_for
from tokenizer import Chat, train_tokenizer, texts_of

ROWS = {40: 104, 72: 56}    # a short step: so many questions for each width of a row, in tokens
ANSWER = 14                 # how much of the answer must fit into the narrow row
PACKED = 4096               # a long step: so many tokens of longer dialogs, one after another


class Lessons:
    """The corpus as arrays. Most steps see single questions, each in a row of its own, where the
    answer is cut short: what matters is which answer begins. Longer dialogs, whole answers and far
    positions come in every fourth step, packed into rows of a quarter of the window or all of it.
    """

    def __init__(self, chat: Chat, corpus_file: Path, seed: int):
        rng = random.Random(seed)
        rows, packed = {width: [] for width in ROWS}, []
        for line in corpus_file.open(encoding="utf-8"):
            dialog = json.loads(line)
            ids, learn = chat.training(dialog, rng)
            single = sum(m["role"] == "user" for m in dialog) == 1
            if not single or rng.random() < 0.03:
                packed.append((ids, learn))
                continue
            width = next((w for w in ROWS if learn.index(True) + ANSWER <= w), max(ROWS))
            padding = max(0, width - len(ids))
            rows[width].append((ids[:width] + [chat.end_of_text] * padding, learn[:width] + [False] * padding))
        self.rows = {w: (np.array([i for i, _ in r], np.int64), np.array([f for _, f in r], bool)) for w, r in rows.items()}
        self.packed = np.array([t for i, _ in packed for t in i], np.int64), np.array([t for _, w in packed for t in w], bool)

    def steps(self, count: int, context: int):
        """`count` pairs (token ids, which of them to learn), both [rows, length]. Starts over at the end."""
        at = dict.fromkeys([*ROWS, "packed"], 0)

        def take(name, arrays, amount):
            if at[name] + amount > len(arrays[0]):
                at[name] = 0
            at[name] += amount
            return [a[at[name] - amount : at[name]] for a in arrays]

        seen = dict.fromkeys(ROWS, 0)
        for step in range(count):
            if step % 4 == 3:
                length = context if step % 8 == 7 else context // 4
                ids, learn = (a.reshape(-1, length) for a in take("packed", self.packed, PACKED))
            else:  # the width that lags behind its share of the corpus
                width = min(ROWS, key=lambda w: seen[w] / len(self.rows[w][0]))
                seen[width] += ROWS[width]
                ids, learn = take(width, self.rows[width], ROWS[width])
            yield torch.from_numpy(ids), torch.from_numpy(learn)

    def __str__(self) -> str:
        return f"{sum(len(r[0]) for r in self.rows.values())} single questions, {len(self.packed[0])} tokens of longer dialogs"


def said(wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the tokens to learn stand. A multiple of 256 of them: PyTorch compiles for each size."""
    rows, columns = wanted[:, 1:].nonzero(as_tuple=True)
    kept = len(rows) // 256 * 256 or len(rows)
    return rows[:kept], columns[:kept] + 1


def rate(step: int, steps: int) -> float:
    """Learning rate factor: up in 40 steps, flat for a sixth of the run, then down to zero."""
    return min(1.0, (step + 1) / 40, (steps - step) / (steps * 5 / 6))


def train(a: argparse.Namespace) -> None:
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    a.work.mkdir(parents=True, exist_ok=True)
    started = time.time()
    corpus.write(a.work / "corpus.jsonl", a.dialogs, a.seed)
    tok = train_tokenizer(texts_of(a.work / "corpus.jsonl"), Shape().vocab)
    tok.save(str(a.work / "tokenizer.json"))
    lessons = Lessons(Chat(tok), a.work / "corpus.jsonl", a.seed)
    prepared = time.time() - started
    model = Nano().to(a.device)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{lessons}; prepared in {prepared:.0f} s; {parameters} parameters", flush=True)
    optimizers = optimizers_for(model, a.lr_matrix, a.lr_other, torch.bfloat16 if a.bf16 else torch.float32)
    base = [[g["lr"] for g in o.param_groups] for o in optimizers]
    times, mean = [], None
    for step, (x, wanted) in enumerate(lessons.steps(a.steps, Shape().context)):
        begun = time.time()
        x = x.to(a.device)
        rows, columns = said(wanted)
        with torch.autocast(a.device, torch.bfloat16, enabled=a.bf16):
            vectors, _ = model.hidden(x)
            logits = model.logits(vectors[rows, columns - 1])
        loss = F.cross_entropy(logits.float(), x[rows, columns])
        loss.backward()
        for o, lrs in zip(optimizers, base):
            for g, lr in zip(o.param_groups, lrs):
                g["lr"] = lr * rate(step, a.steps)
            o.step()
            o.zero_grad(set_to_none=True)
        times.append(time.time() - begun)
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 25 == 24 or step + 1 == a.steps:
            print(f"step {step + 1}/{a.steps} loss {mean:.4f} {np.median(times[-25:]):.2f} s/step, best {min(times):.2f}", flush=True)
        if step % 100 == 99 or step + 1 == a.steps:
            torch.save(model.state_dict(), a.work / "weights.pt")
    report = {
        "parameters": parameters, "steps": a.steps, "dialogs": a.dialogs, "seed": a.seed,
        "device": a.device, "bf16": a.bf16, "threads": a.threads, "loss": round(mean, 4), "prepare_s": round(prepared, 1),
        "wall_s": round(time.time() - started, 1), "step_s_median": round(float(np.median(times)), 3), "step_s_best": round(min(times), 3),
    }
    (a.work / "train.json").write_text(json.dumps(report, indent=1) + "\n")
    print(report)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("work", type=Path, help="a folder outside the repository for everything this writes")
    p.add_argument("--steps", type=int, default=3000)
    p.add_argument("--dialogs", type=int, default=200000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--device", default="cpu")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="matrix products in bfloat16")
    p.add_argument("--lr-matrix", type=float, default=0.02)
    p.add_argument("--lr-other", type=float, default=0.004)
    train(p.parse_args())
