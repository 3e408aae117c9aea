"""A very small grammar for questions.

    (a|b|)      picks one of the alternatives, here also nothing; they nest
    (x)?  x?    x or nothing; without parentheses x is one letter or space
    <start>     picks a synonym from facts/words.toml

`expand("(how|where) do i <start> it", words, random)` gives one sentence.
"""

import random
import re


def expand(pattern: str, words: dict[str, list[str]], rng: random.Random) -> str:
    text, end = _sequence(pattern, 0, words, rng)
    if end != len(pattern):
        raise ValueError(f"unbalanced ) in {pattern!r}")
    return re.sub(r" {2,}", " ", text).strip()


def _sequence(p: str, i: int, words, rng) -> tuple[str, int]:
    """Reads p from i up to the end or to the ) or | that closes this alternative."""
    out = []
    while i < len(p) and p[i] not in "|)":
        if p[i] == "(":
            choice, i = _alternatives(p, i + 1, words, rng)
            out.append(choice)
        elif p[i] == "\\":
            out.append(p[i + 1])
            i += 2
        elif p[i] == "<" and (end := p.find(">", i)) > 0 and p[i + 1 : end] in words:
            out.append(rng.choice(words[p[i + 1 : end]]))
            i = end + 1
        else:
            optional = p[i + 1 : i + 2] == "?"
            out.append("" if optional and rng.random() < 0.5 else p[i])
            i += 2 if optional else 1
    return "".join(out), i


def _alternatives(p: str, i: int, words, rng) -> tuple[str, int]:
    """Reads after a ( up to its ) and an optional ?, and picks one alternative."""
    found = []
    while True:
        text, i = _sequence(p, i, words, rng)
        found.append(text)
        if i >= len(p):
            raise ValueError(f"missing ) in {p!r}")
        if p[i] == ")":
            break
        i += 1
    i += 1
    if i < len(p) and p[i] == "?":
        found.append("")
        i += 1
    return rng.choice(found), i
