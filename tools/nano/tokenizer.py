"""The tokenizer: byte-level BPE, cut into words the way Qwen2 does it.

llama.cpp knows this cutting by the name "qwen2": words with one leading sign, digits one by one.
A token is at most nine bytes (three Chinese characters): with long tokens the same phrase would
be cut in many ways, and the model would have to learn each of them.
"""

import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

END_OF_TEXT, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Jinja, as chat clients and `tokenizer.chat_template` expect it.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train_tokenizer(texts, vocab: int) -> Tokenizer:
    """Ordinary tokens first, the three control tokens last, `vocab` in all."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2_WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tok.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocab - 3, initial_alphabet=alphabet, max_token_length=9, show_progress=False)
    )
    tok.add_special_tokens([END_OF_TEXT, IM_START, IM_END])
    if tok.get_vocab_size() != vocab:
        raise SystemExit(f"the corpus is too small for {vocab} tokens: {tok.get_vocab_size()}")
    return tok


def texts_of(corpus: Path):
    for line in corpus.open(encoding="utf-8"):
        for message in json.loads(line):
            yield message["content"]


class Chat:
    """Turns dialogs into token ids. What people write never becomes a control token."""

    def __init__(self, tok: Tokenizer):
        self.tok = tok
        self.end_of_text, self.im_start, self.im_end = (tok.token_to_id(t) for t in (END_OF_TEXT, IM_START, IM_END))
        self.newline = tok.encode("\n").ids

    def message(self, role: str, content: str) -> list[int]:
        body = self.tok.encode(f"{role}\n").ids + self._plain(content)
        return [self.im_start, *body, self.im_end, *self.newline]

    def prompt(self, messages: list[dict]) -> list[int]:
        ids = [i for m in messages for i in self.message(m["role"], m["content"])]
        return [*ids, self.im_start, *self.tok.encode("assistant\n").ids]

    def training(self, messages: list[dict], rng: random.Random) -> tuple[list[int], list[bool]]:
        """Ids of a whole dialog, and which of them the model must learn to say.

        Some questions are cut into other tokens than usual, and some get a few random tokens:
        so the model also meets words that it never saw.
        """
        ids, learn = [], []
        opening = len(self.tok.encode("assistant\n").ids) + 1
        for m in messages:
            part = self.message(m["role"], m["content"])
            if m["role"] == "user" and not any(c.isdigit() for c in m["content"]) and rng.random() < 0.4:
                part = self._blurred(m["content"], rng)
            spoken = len(part) - len(self.newline)
            says = m["role"] == "assistant"
            ids += part
            learn += [says and opening <= i < spoken for i in range(len(part))]
        return [*ids, self.end_of_text], [*learn, False]

    def _blurred(self, text: str, rng: random.Random) -> list[int]:
        cuts = [0, *(i for i in range(1, len(text)) if rng.random() < 0.08), len(text)]
        body = [i for a, b in zip(cuts, cuts[1:]) for i in self._plain(text[a:b])]
        share = rng.choice([0.0, 0.0, 0.08, 0.15])
        body = [rng.randrange(self.end_of_text) if rng.random() < share else i for i in body]
        return [self.im_start, *self.tok.encode("user\n").ids, *body, self.im_end, *self.newline]

    def _plain(self, text: str) -> list[int]:
        if "<|" not in text:
            return self.tok.encode(text).ids
        return [i for piece in text.split("<|") for i in self.tok.encode("<|").ids + self.tok.encode(piece).ids][len(self.tok.encode("<|").ids):]

    def text(self, ids: list[int]) -> str:
        return self.tok.decode([i for i in ids if i not in (self.end_of_text, self.im_start, self.im_end)])
