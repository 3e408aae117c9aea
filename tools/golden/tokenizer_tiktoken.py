#!/usr/bin/env python3
"""A small rank file, and the ids that tiktoken gives with it and the patterns of three families."""
import base64
import json
import pathlib
import random
import sys

import tiktoken
from tokenizer_strings import FAMILIES, text

CORPUS = ("the cat sat on the mat and the other cats sat there too. aaaaaaa aaaa bananas 飞轮 飞轮 女孩 ABAB abab 1234 1234 don't I'LL "
          "\n\n    indented    lines\n") * 3


def ranks():
    """Byte-pair training in its plainest form, on words cut at spaces."""
    words = [[bytes([b]) for b in (" " + word).encode()] for word in CORPUS.split(" ")]
    tokens = [bytes([b]) for b in range(256)]
    while len(tokens) < 400:
        pairs = {}
        for word in words:
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
        if not pairs:
            break
        left, right = max(sorted(pairs), key=pairs.get)
        if left + right not in tokens:
            tokens.append(left + right)
        for word in words:
            for i in range(len(word) - 2, -1, -1):
                if word[i:i + 2] == [left, right]:
                    word[i:i + 2] = [left + right]
    # Tokens that several pairs make, at overlapping places.
    return tokens + [b"aaa", b"aba", b"bab", b"ababa", b"\xe9\xa3\x9e\xe8"]


def main():
    golden = pathlib.Path(sys.argv[2])
    rng = random.Random(11)
    tokens = list(dict.fromkeys(ranks()))
    texts = ["", "aaaaa aaaaaaaa", "ababababab babababab", "the cats", CORPUS[:200]] + [text(rng) for _ in range(40)]
    cases = {}
    for family in ("qwen2", "llama-bpe", "kimi-k2"):
        encoding = tiktoken.Encoding("test", pat_str=FAMILIES[family][0], mergeable_ranks={t: i for i, t in enumerate(tokens)}, special_tokens={})
        cases[family] = [encoding.encode_ordinary(t) for t in texts]
    lines = [f"{base64.b64encode(t).decode()} {i}" for i, t in enumerate(tokens)]
    (golden / "tokenizer_tiktoken.json").write_text(json.dumps({"ranks": "\n".join(lines) + "\n", "texts": texts, "ids": cases}) + "\n")


main()
