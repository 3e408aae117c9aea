#!/usr/bin/env python3
"""Random Unicode texts and their ids by Hugging Face's tokenizers, for two vocabularies."""
import json
import pathlib
import random
import sys
import unicodedata

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
WORDS = ["Hello", "world", "don't", "I'LL", "we've", "naïve", "Straße", "女孩", "飞轮", "こんにちは", "한국어", "Привет",
         "नमस्ते", "ไทย", "العربية", "👩‍👩‍👧", "🏳️‍🌈", "12345", "3.14", "٣٤", "Ⅻ", "½", "e\u0301", "\u212b", "ﬁ", "'ſ"]
BLANKS = [" ", "  ", "    ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u0085", "\u180e", "\u200b", "\u2028"]


def assigned(rng):
    while True:
        point = rng.choice([rng.randrange(0x20, 0x250), rng.randrange(0x300, 0x3000), rng.randrange(0x3000, 0xa000),
                            rng.randrange(0xa000, 0x20000)])
        if unicodedata.category(chr(point)) not in ("Cn", "Cs", "Co"):
            return chr(point)


def text(rng):
    parts = []
    for _ in range(rng.randrange(1, 9)):
        kind = rng.random()
        if kind < 0.4:
            parts.append(rng.choice(WORDS))
        elif kind < 0.65:
            parts.append(rng.choice(BLANKS))
        elif kind < 0.75:
            parts.append("".join(rng.choice("\u0300\u0301\u0323\u0327\u0345\u05b0\u093c\u3099") for _ in range(rng.randrange(1, 4))))
        elif kind < 0.85:
            parts.append(rng.choice("!?.,;:-_()[]{}#@/\\\"'<>|") * rng.randrange(1, 5))
        else:
            parts.append("".join(assigned(rng) for _ in range(rng.randrange(1, 4))))
    return "".join(parts)


def qwen2(folder):
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    testdata, golden = map(pathlib.Path, sys.argv[1:3])
    rng = random.Random(20260101)
    texts = [text(rng) for _ in range(300)]
    both = {
        "tinystories": Tokenizer.from_file(str(testdata / "models/tinystories-656K/tokenizer.json")),
        "qwen2": qwen2(testdata / "tokenizers/qwen2"),
    }
    cases = [{"text": t, **{name: tok.encode(t, add_special_tokens=False).ids for name, tok in both.items()}}
             for t in texts]
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
    (golden / "tokenizer_strings.json").write_text(f"[\n{lines}\n]\n")


main()
