"""Three numbers for the model card beyond the held-out questions: sums that come out right, "I do
not know" where it is due, and held-out questions answered at the end of a nearly full window."""

import argparse
import json
import random
from pathlib import Path

from corpus import MODEL_DIR, Writer, held_out
from evaluate import answer
from load_gguf import load
from sums import question

# Nobody taught the model these, and none is about feilun.
STRANGE_EN = [
    "Who composed the Ninth Symphony?", "What is the chemical symbol of iron?", "How do I get a driving licence?", "Which river flows through Prague?", "What does a cardiologist do?",
    "Write an email to my landlord", "Who was the first woman in space?", "Is coffee healthy?", "How many legs does a spider have?", "What is a black hole?",
]
STRANGE_ZH = ["红楼梦的作者是谁？", "铁的化学符号是什么？", "怎么考驾照？", "布拉格有哪条河？", "心脏科医生做什么？", "给房东写封邮件", "第一位女宇航员是谁？", "喝咖啡健康吗？", "蜘蛛有几条腿？", "黑洞是什么？"]
DECLINES = ["do not know", "cannot", "too hard", "不知道", "不能", "没法", "太难"]


def sums_right(model, chat, count: int, seed: int) -> int:
    rng, right = random.Random(seed), 0
    for _ in range(count):
        a, b, op = rng.randint(0, 20), rng.randint(0, 20), rng.choice("+-")
        if op == "-" and b > a:
            a, b = b, a
        said = answer(model, chat, [{"role": "user", "content": question(rng, rng.choice(["en", "zh"]), a, op, b)}])
        right += f"= {a + b if op == '+' else a - b}" == said.rstrip(".。")[said.find("="):]
    return right


def long_history(chat, tokens: int, seed: int) -> list[dict]:
    """An earlier conversation that fills `tokens` tokens of the window."""
    writer, messages = Writer(seed, []), []
    while len(chat.prompt(messages)) < tokens:
        ask, said, _ = writer.exchange(writer.rng.choice(["en", "zh"]))
        messages += [{"role": "user", "content": ask}, {"role": "assistant", "content": said}]
    return messages


def measure(path: Path) -> dict:
    model, chat, _ = load(path)
    alone = lambda q: answer(model, chat, [{"role": "user", "content": q}])
    deep = 0
    for i, q in enumerate(held_out()):
        messages = [*long_history(chat, 750, i), {"role": "user", "content": q["question"]}]
        deep += any(r.lower() in answer(model, chat, messages).lower() for r in q["required"])
    return {
        "sums of numbers to 20, of 100": sums_right(model, chat, 100, 1), "declined, of 20": sum(any(d in alone(q).lower() for d in DECLINES) for q in STRANGE_EN + STRANGE_ZH),
        "held-out questions after 750 tokens of chat, of 60": deep,
    }


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--gguf", type=Path, default=MODEL_DIR / "feilun-nano.gguf")
    print(json.dumps(measure(p.parse_args().gguf), indent=1))
