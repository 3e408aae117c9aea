"""Asks the model file a list of questions, greedily, and counts the answers that hold the fact.

With --corpus it first proves that the questions are held out: none may equal a question of the
corpus after dropping case, spaces and punctuation, nor come close to one (half of its
three-letter pieces in common is already too close).
"""

import argparse
import json
import sys
from pathlib import Path

from corpus import MODEL_DIR, normal, pieces
from load_gguf import load
from model import greedy

NEAR = 0.5


def assert_held_out(questions: list[str], corpus: Path) -> float:
    """The closest that any question comes to the corpus; exits if that is too close."""
    seen = {}
    for line in corpus.open(encoding="utf-8"):
        for m in json.loads(line):
            if m["role"] == "user":
                seen.setdefault(normal(m["content"]), m["content"])
    index: dict[str, list[int]] = {}
    sets = [pieces(s) for s in seen.values()]
    for i, s in enumerate(sets):
        for piece in s:
            index.setdefault(piece, []).append(i)
    closest = 0.0
    for q in questions:
        if normal(q) in seen:
            sys.exit(f"in the corpus word for word: {q}")
        mine, shared = pieces(q), {}
        for piece in mine:
            for i in index.get(piece, []):
                shared[i] = shared.get(i, 0) + 1
        near, i = max(((n / len(mine | sets[i]), i) for i, n in shared.items()), default=(0.0, 0))
        closest = max(closest, near)
        if near >= NEAR:
            sys.exit(f"too close ({near:.2f}): {q} / {list(seen.values())[i]}")
    return closest


def answer(model, chat, messages: list[dict], limit: int = 160) -> str:
    ids = [token for token, _ in greedy(model, chat.prompt(messages), limit, chat.im_end)]
    return chat.text(ids)


def evaluate(gguf_path: Path, questions: list[dict]) -> dict:
    model, chat, _ = load(gguf_path)
    rows = []
    for q in questions:
        said = answer(model, chat, [{"role": "user", "content": q["question"]}])
        right = any(r.lower() in said.lower() for r in q["required"])
        rows.append({**q, "answer": said, "right": right})
    score = {lang: [sum(r["right"] for r in rows if r["lang"] == lang), sum(r["lang"] == lang for r in rows)] for lang in ("en", "zh")}
    return {"score": score, "right": sum(r["right"] for r in rows), "of": len(rows), "answers": rows}


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguf", type=Path, default=MODEL_DIR / "feilun-nano.gguf")
    p.add_argument("--questions", type=Path, default=MODEL_DIR / "heldout.jsonl")
    p.add_argument("--corpus", type=Path, help="the corpus that the model was trained on")
    p.add_argument("--out", type=Path, help="write all answers here, as JSON")
    a = p.parse_args()
    questions = [json.loads(line) for line in a.questions.read_text(encoding="utf-8").splitlines()]
    if a.corpus:
        print(f"held out: the closest question shares {assert_held_out([q['question'] for q in questions], a.corpus):.0%} of its pieces")
    result = evaluate(a.gguf, questions)
    for r in result["answers"]:
        if not r["right"]:
            print(f"wrong: {r['question']}\n    -> {r['answer']}   (wanted {r['required']})")
    print(f"{result['right']} of {result['of']} right; {result['score']}")
    if a.out:
        a.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
