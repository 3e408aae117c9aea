#!/usr/bin/env python3
"""The peer: the same vocabularies and texts through Hugging Face's tokenizers, in the form of its own files."""
import json
import pathlib
import sys
import time

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")


def qwen2(folder):
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    return tokenizer


def llama(path):
    """Llama 2's tokenizer.json, with the merges that follow from the scores: a piece's is where two pieces make it."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    scores = fields["tokenizer.ggml.scores"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    vocabulary = {token: id for id, token in enumerate(tokens)}
    merges = []
    for id, token in enumerate(tokens):
        if kinds[id] == 1:
            cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in vocabulary and token[i:] in vocabulary]
            merges += [(-scores[id], vocabulary[left], vocabulary[right], left, right) for left, right in cuts]
    merges.sort(key=lambda merge: merge[:3])
    tokenizer = Tokenizer(models.BPE(vocabulary, [merge[3:] for merge in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer


def main():
    name, path, folder, seconds = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), float(sys.argv[4])
    tokenizer = {"qwen2": qwen2, "llama": llama}[name](path)
    for file in folder.iterdir():
        data = file.read_bytes()
        documents = data.decode().split("\x1e")

        def encode_all():
            # The fast form computes no offsets, which nobody here asks for.
            return sum(len(found) for found in tokenizer.encode_batch_fast(documents, add_special_tokens=False))

        tokens = encode_all()
        size, passed, start = 0, 0.0, time.process_time()
        while passed < seconds:
            tokens = encode_all()
            size += len(data)
            passed = time.process_time() - start
        print(json.dumps({"text": file.name, "megabytes_per_second": size / 1e6 / passed, "tokens": tokens}))


main()
