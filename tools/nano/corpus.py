"""Makes the dialogs that feilun-nano learns from: one JSON line each, in a fixed random order.

A dialog is a list of messages as in the chat API. What a user says is a question about a fact
(facts/*.toml), a sum, a wish for a story, or something nobody taught the model; what the
assistant says is the one right answer. No question near one of the held-out set ever gets in.
"""

import argparse
import json
import random
import re
import tomllib
from pathlib import Path

from grammar import expand
from noise import noisy_en, noisy_zh, reworded
from stories import story
from sums import sum_
import unknown as world
from unknown import unknown

HERE = Path(__file__).parent
TOO_NEAR = 0.45  # share of pieces in common with a held-out question
MODEL_DIR = HERE.parent.parent / "models" / "feilun-nano"
FACT_FILES = ["product", "money", "serving", "economics", "self"]
SMALL_TALK = {"hello", "how_are_you", "thanks", "bye", "praise", "blame", "joke", "okay", "mood", "favourite", "age"}


def load_toml(name: str) -> dict:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def normal(text: str) -> str:
    """Letters and digits only, in lower case: two questions that agree here are the same question."""
    return re.sub(r"[\W_]+", "", text.lower())


def pieces(text: str) -> frozenset[str]:
    """The three-letter (two-character in Chinese) pieces of a question, to tell how near two are."""
    text = normal(text)
    width = 3 if text.isascii() else 2
    return frozenset(text[i : i + width] for i in range(max(1, len(text) - width + 1)))


def nearness(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)


def held_out(name: str = "heldout.jsonl") -> list[dict]:
    return [json.loads(line) for line in (MODEL_DIR / name).read_text(encoding="utf-8").splitlines()]


class Writer:
    def __init__(self, seed: int, forbidden: list[str]):
        self.rng = random.Random(seed)
        self.facts = {k: v for name in FACT_FILES for k, v in load_toml(f"facts/{name}.toml").items()}
        self.scenarios = load_toml("facts/scenarios.toml")
        self.words = load_toml("facts/words.toml")
        self.ways = load_toml("questions.toml")
        self.forbidden = [pieces(q) for q in forbidden]
        self.keys = list(self.facts)
        self.weights = [self._weight(key) for key in self.keys]
        self.turned_away = 0

    def _weight(self, key: str) -> float:
        """The more ways there are to ask, the more often it is asked."""
        if key in SMALL_TALK:
            return 0.35
        ways = sum(len(self.facts[key].get(f"ask_{lang}", [])) + len(self.scenarios.get(key, {}).get(lang, [])) for lang in ("en", "zh"))
        return 0.6 + 0.05 * ways

    def fact_question(self, key: str, lang: str) -> str:
        fact, rng = self.facts[key], self.rng
        term, asks = fact.get(f"term_{lang}"), fact.get(f"ask_{lang}", [])
        asks = asks + self.scenarios.get(key, {}).get(lang, [])
        by_name = term and (not asks or rng.random() < 0.35)
        if by_name:
            pattern = rng.choice(self.ways[f"define_{lang}"])
        else:
            pattern = rng.choice(asks)
        if key not in SMALL_TALK and rng.random() < 0.25:
            pattern = rng.choice(self.ways[f"wrap_{lang}"]).replace("{q}", pattern)
        question = expand(pattern, self.words, rng)
        if key not in SMALL_TALK and rng.random() < 0.7:
            question = reworded(question, lang, rng)
        return question.replace("{t}", expand(term, self.words, rng)) if by_name else question

    def preamble(self, lang: str) -> str:
        """A remark about something else before the question, for the model to ignore."""
        english = lang == "en"
        thing = self.rng.choice(world.THINGS_EN if english else world.THINGS_ZH)
        place = self.rng.choice(world.PLACES_EN if english else world.PLACES_ZH)
        remark = self.rng.choice(self.ways[f"preamble_{lang}"]).format(x=thing, p=place)
        return remark + " " if english else remark

    def exchange(self, lang: str) -> tuple[str, str, str | None]:
        """A question, its answer, and the fact's name where it is a fact."""
        rng, kind = self.rng, self.rng.random()
        key = None
        if kind < 0.73:
            key = rng.choices(self.keys, self.weights)[0]
            ask, answer = self.fact_question(key, lang), self.facts[key][lang]
            if key not in SMALL_TALK and rng.random() < 0.10:
                ask += rng.choice([", ", ". ", "? "] if lang == "en" else ["，", "。", "？"]) + self.fact_question(key, lang)
            if key not in SMALL_TALK and rng.random() < 0.10:
                ask = self.preamble(lang) + ask
        elif kind < 0.83:
            ask, answer = sum_(rng, lang)
        elif kind < 0.87:
            ask, answer = story(rng, lang)
            ask = expand(ask, self.words, rng)
        else:
            ask, answer = unknown(rng, lang)
            if rng.random() < 0.2:
                ask = rng.choice(self.ways[f"wrap_{lang}"]).replace("{q}", ask)
            ask = expand(ask, self.words, rng)
        ask = (noisy_en if lang == "en" else noisy_zh)(ask, rng)
        mine = pieces(ask)
        if any(nearness(mine, q) >= TOO_NEAR for q in self.forbidden):
            self.turned_away += 1
            return self.exchange(lang)
        return ask, answer, key

    def follow_up(self, lang: str, key: str | None, answer: str) -> tuple[str, str, str]:
        """Asks for the last answer again, or for the same in the other language."""
        rng = self.rng
        if key and rng.random() < 0.6:
            ask = expand(rng.choice(self.ways[f"other_language_{lang}"]), self.words, rng)
            lang = "zh" if lang == "en" else "en"
            answer = self.facts[key][lang]
        else:
            ask = expand(rng.choice(self.ways[f"again_{lang}"]), self.words, rng)
        return ask + rng.choice(["", "?", "." if ask.isascii() else "。"]), answer, lang

    def dialog(self) -> list[dict]:
        rng = self.rng
        messages = []
        if rng.random() < 0.25:
            messages.append({"role": "system", "content": rng.choice(self.ways["system"])})
        lang = rng.choice(["en", "zh"])
        turns = rng.choices([1, 2, 3, rng.randint(4, 8), rng.randint(9, 18)], [91, 3, 2, 3, 1])[0]
        key = answer = None
        for turn in range(turns):
            if answer and len(answer) < 200 and rng.random() < 0.08:
                ask, answer, lang = self.follow_up(lang, key, answer)
                key = None
            else:
                if turn and rng.random() < 0.12:
                    lang = "zh" if lang == "en" else "en"
                ask, answer, key = self.exchange(lang)
            messages += [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
        return messages


def write(path: Path, dialogs: int, seed: int) -> None:
    forbidden = [q["question"] for q in held_out()]
    writer = Writer(seed, forbidden)
    with path.open("w", encoding="utf-8") as out:
        for _ in range(dialogs):
            out.write(json.dumps(writer.dialog(), ensure_ascii=False) + "\n")
    print(f"{dialogs} dialogs about {len(writer.facts)} facts; left out {writer.turned_away} questions near a held-out one")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path, help="the corpus to write, JSON lines")
    arguments.add_argument("--dialogs", type=int, default=180000)
    arguments.add_argument("--seed", type=int, default=1)
    a = arguments.parse_args()
    write(a.out, a.dialogs, a.seed)
