#!/usr/bin/env python3
"""Random Unicode texts and their ids by Hugging Face's tokenizers, for two vocabularies.

tokenizer_strings.json holds 300 texts with their ids. tokenizer_blocks.json holds what 10,000 more are made of and,
for each block of a hundred, a hash of all their ids: the test makes the same texts from the same numbers."""
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


MASK = (1 << 64) - 1
BLOCKS, TEXTS = 100, 100
PARTS = {
    "words": WORDS + BLANKS + ["<|im_start|>", "<|im_end|>", "<|im_", "<|endoftext|>", "<unk>", "<s>", "</s>", "<|start_story|>",
                               "<0x41>", "\u2581", "##", "[CLS]", "'S", "'Ve", "\u0130", "\u017f", "\u1e9e", "\ufb01\u0301", "once upon a time",
                               "http://a.b/c?d=e&f", "def f(x):\n    return x**2", "1,234,567.89", "2026-01-01T00:00:00Z"],
    # All of one kind of character each; assigned since long ago, so that every library's tables agree.
    "ranges": [[0x20, 0x7e], [0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], [0x00, 0x1f], [0x7f, 0x9f], [0xa0, 0x17f], [0x300, 0x33f],
               [0x391, 0x3a1], [0x410, 0x44f], [0x5d0, 0x5ea], [0x5b0, 0x5bc], [0x621, 0x63a], [0x64b, 0x652], [0x660, 0x669],
               [0x905, 0x939], [0x93e, 0x94d], [0xe01, 0xe3a], [0x1100, 0x1112], [0x1161, 0x1175], [0x11a8, 0x11c2], [0x1e00, 0x1e99],
               [0x1f00, 0x1f15], [0x2000, 0x200f], [0x2010, 0x2027], [0x2028, 0x202f], [0x2070, 0x2071], [0x2100, 0x214b],
               [0x2160, 0x2182], [0x2200, 0x22ff], [0x3000, 0x303f], [0x3041, 0x3096], [0x3099, 0x309c], [0x30a1, 0x30fa],
               [0x4e00, 0x9fa5], [0x4e00, 0x4eff], [0xac00, 0xd7a3], [0xe000, 0xe00f], [0xf900, 0xf9ff], [0xfb00, 0xfb06],
               [0xfe00, 0xfe0f], [0xff01, 0xff5e], [0x1d15e, 0x1d164], [0x1d400, 0x1d454], [0x1f300, 0x1f320], [0x1f600, 0x1f64f],
               [0x1f1e6, 0x1f1ff], [0x20000, 0x200ff], [0x2f800, 0x2f80f]],
    "runs": [" ", "\n", "\t", "7", "a", "=", "-", "\u3000", "\u0301", "\U0001f600", " \n", "\r\n", "ab", "\u98de"],
}


class Numbers:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, end):
        self.state = (self.state + 0x9e3779b97f4a7c15) & MASK
        x = self.state
        x = ((x ^ x >> 30) * 0xbf58476d1ce4e5b9) & MASK
        x = ((x ^ x >> 27) * 0x94d049bb133111eb) & MASK
        return (x ^ x >> 31) % end


def block_text(numbers):
    parts = []
    for _ in range(1 + numbers.below(8)):
        kind = numbers.below(8)
        if kind < 3:
            parts.append(PARTS["words"][numbers.below(len(PARTS["words"]))])
        elif kind < 7:
            low, high = PARTS["ranges"][numbers.below(len(PARTS["ranges"]))]
            parts.append("".join(chr(low + numbers.below(high - low + 1)) for _ in range(1 + numbers.below(8))))
        else:
            parts.append(PARTS["runs"][numbers.below(len(PARTS["runs"]))] * (1 + numbers.below(40)))
    return "".join(parts)


DEEPSEEK_LETTERS = (
    r"A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af}"
    r"\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}"
    r"\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}"
    r"\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}"
    r"\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}"
    r"\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}"
    r"\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}"
    r"\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}"
    r"\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}"
    r"\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}"
    r"\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}"
    r"\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}"
)
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
HAN, UPPER, LOWER = r"[^\p{Han}]", r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def cased(upper, lower, suffix):
    return (rf"[^\r\n\p{{L}}\p{{N}}]?[{upper}]*[{lower}]+{suffix}|[^\r\n\p{{L}}\p{{N}}]?[{upper}]+[{lower}]*{suffix}")


# How the makers' own tokenizer.json files cut words.
FAMILIES = {
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "qwen2": [QWEN2],
    "qwen35": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL],
    "llama-bpe": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL],
    "tekken": [cased(UPPER, LOWER, "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL],
    "gpt-4o": [cased(UPPER, LOWER, CONTRACTION + "?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL],
    "kimi-k2": [r"[\p{Han}]+|" + cased(UPPER + "&&" + HAN, LOWER + "&&" + HAN, CONTRACTION + "?")
                + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL],
    "bailingmoe": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"
                   r"|\s*[\r\n]|\s+(?!\S)|\s+"],
    "deepseek-v3": [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
                    + TAIL],
    "deepseek-llm": [r"[\r\n]", rf"\s?[{DEEPSEEK_LETTERS}]+",
                     "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$",
                     "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
}


def hash_numbers(numbers):
    value = 0xcbf29ce484222325
    for number in numbers:
        value = ((value ^ number) * 0x100000001b3) & MASK
    return f"{value:016x}"


def word_hash(patterns, texts):
    """Of the sizes in bytes of all words."""
    cut = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated") for p in patterns])
    return hash_numbers(n for text in texts
                        for n in [len(word.encode()) for word, _ in cut.pre_tokenize_str(text)] + [0])


def block_hash(tokenizer, texts):
    return hash_numbers(n for text in texts
                        for n in [id + 1 for id in tokenizer.encode(text, add_special_tokens=False).ids] + [0])


def write_blocks(tokenizers, path):
    blocks = []
    for block in range(BLOCKS):
        numbers = Numbers(block)
        blocks.append([block_text(numbers) for _ in range(TEXTS)])
    for tokenizer in tokenizers.values():
        tokenizer.encode_special_tokens = True  # what a text says is text
    document = {**PARTS, "texts": TEXTS,
                "hashes": {name: [block_hash(tok, texts) for texts in blocks] for name, tok in tokenizers.items()},
                "families": {name: [word_hash(patterns, texts) for texts in blocks[:10]] for name, patterns in FAMILIES.items()}}
    path.write_text(json.dumps(document, ensure_ascii=True, separators=(",", ":")).replace("],", "],\n") + "\n")


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
    write_blocks(both, golden / "tokenizer_blocks.json")


if __name__ == "__main__":
    main()
