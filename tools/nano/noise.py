"""What people do to a question before they send it: case, punctuation, politeness, typos.

Training on such noise teaches the model to go by the words that matter.
"""

import random
import re
import tomllib
from pathlib import Path

GROUPS = tomllib.loads((Path(__file__).parent / "facts" / "thesaurus.toml").read_text(encoding="utf-8"))
FILLERS_EN = "actually really just maybe perhaps kind of basically here there now today usually also still even then simply like honestly anyway generally again somehow exactly already ever quite rather in this case by the way as far as you know on my side for us over time at all".split(" ")
FILLERS_ZH = "其实 现在 一般 到底 究竟 具体 大概 这个 那个 比如说 通常 真的 这样的话 我们 这里 今天 目前 的话 又 都 也 就 还 呢 是 你们 自己 来说 方面 一下 时候".split()

SMALL_WORDS = set("the a an do does is are i my of to for in it will can should we you be me and that so".split())
ACRONYMS = re.compile(r"\b(ttft|tpot|kv|gguf|bpe|slo|vtc|llm|ltv|cac|api|sdk|gpu|cpu|cuda|sse|url|lru|ui|q8_0)\b")


def _synonyms(lang: str) -> tuple[re.Pattern, dict[str, list[str]]]:
    others: dict[str, list[str]] = {}
    for group in GROUPS[lang]:
        words = group.split("|")
        for word in words:
            if lang == "en" or len(word) > 1:  # one character is too often part of another word
                others.setdefault(word.lower(), []).extend(w for w in words if w != word)
    edge = r"\b" if lang == "en" else ""
    longest_first = sorted(others, key=len, reverse=True)
    return re.compile(edge + "(" + "|".join(map(re.escape, longest_first)) + ")" + edge, re.IGNORECASE), others


SYNONYMS = {lang: _synonyms(lang) for lang in ("en", "zh")}


def reworded(q: str, lang: str, rng: random.Random) -> str:
    """The question in other words: synonyms, fillers in between, now and then only its words in any order."""
    pattern, others = SYNONYMS[lang]
    share = rng.choice([0.0, 0.0, 0.3, 0.6])
    q = pattern.sub(lambda m: rng.choice(others[m[0].lower()]) if rng.random() < share else m[0], q)
    if lang == "zh":
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            i = _between(q, rng)
            q = q[:i] + rng.choice(FILLERS_ZH) + q[i:]
        if rng.random() < 0.12 and len(q) > 8 and "{t}" not in q:
            i = _between(q, rng)
            q = q[:i] + q[i + 2 :]
        if rng.random() < 0.08 and len(q) > 6:
            i = _between(q, rng)
            q = q[i:] + rng.choice(["", "，"]) + q[:i]
        return q
    words = q.split(" ")
    if rng.random() < 0.15 and len(words) > 4:
        words = [w for w in words if w == "{t}" or rng.random() > 0.2] or words
    if rng.random() < 0.08:
        words = [w for w in words if w not in SMALL_WORDS] or words
        rng.shuffle(words)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        words.insert(rng.randint(0, len(words)), rng.choice(FILLERS_EN))
    return " ".join(words)


def _between(q: str, rng: random.Random) -> int:
    """A place in a Chinese question that does not cut a Latin word in two."""
    places = [i for i in range(len(q) + 1) if not (q[max(0, i - 1) : i].isascii() and q[i : i + 1].isascii())]
    return rng.choice(places or [0])


def noisy_en(q: str, rng: random.Random) -> str:
    if rng.random() < 0.6:
        q = ACRONYMS.sub(lambda m: m[0].upper(), q)
    if rng.random() < 0.10:
        q = q.replace("feilun", rng.choice(["Feilun", "Feilun", "FEILUN", "飞轮"]))
    roll = rng.random()
    words = q.split(" ")
    if roll < 0.10 and len(words) > 3:
        small = [i for i, w in enumerate(words) if w in SMALL_WORDS]
        if small:
            del words[rng.choice(small)]
    elif roll < 0.16 and len(words) > 3:
        words = [w for w in words if w not in SMALL_WORDS] or words
    elif roll < 0.22:
        words = [_typo(w, rng) if rng.random() < 0.3 else w for w in words]
    elif roll < 0.25 and len(words) > 4:
        i = rng.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    q = " ".join(words)
    case = rng.random()
    if case < 0.5:
        q = q[:1].upper() + q[1:]
    elif case < 0.53:
        q = q.upper()
    return q + rng.choice(["?"] * 9 + [""] * 7 + ["??", " ?", ".", "!", "...", "?!"])


def noisy_zh(q: str, rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.08:
        q = re.sub("(一下|的|了|呢|会|要|请|我)", "", q, count=rng.randint(1, 2)) or q
    elif roll < 0.10 and len(q) > 6:
        i = rng.randrange(len(q) - 1)
        q = q[:i] + q[i + 1] + q[i] + q[i + 2 :]
    spaces = rng.random()
    if spaces < 0.3:
        q = q.replace(" ", "")
    elif spaces < 0.5:
        q = re.sub(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])", " ", q)
    if rng.random() < 0.12:
        q = q.lower()
    return q + rng.choice(["？"] * 9 + [""] * 7 + ["?", "?", "。", "！", "??", "~"])


def _typo(word: str, rng: random.Random) -> str:
    if len(word) < 5 or not word.isalpha():
        return word
    i = rng.randrange(1, len(word) - 1)
    return rng.choice([word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:], word[:i] + word[i + 1] + word[i] + word[i + 2 :]])
