#!/usr/bin/env python3
"""Writes a GGUF of the exact shape of Qwen3-0.6B with random Q8_0 or Q4_0 weights and Qwen2's real vocabulary.

Random weights time like trained ones. usage: make_model.py q8_0|q4_0 VOCABULARY_DIRECTORY OUT.gguf
"""
import json
import pathlib
import sys

import gguf
import numpy

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN, VOCABULARY, CONTEXT = 28, 1024, 16, 8, 128, 3072, 151936, 4096
BLOCK = 32
TYPES = {"q8_0": (gguf.GGMLQuantizationType.Q8_0, 34), "q4_0": (gguf.GGMLQuantizationType.Q4_0, 18)}


def random_blocks(rng, rows, columns, block_bytes):
    """Quantised rows: every block has the scale that gives weights a deviation of about 0.02."""
    blocks = rng.integers(0, 256, (rows, columns // BLOCK, block_bytes), dtype=numpy.uint8)
    scale = numpy.float16(0.02 / 74 if block_bytes == 34 else 0.02 / 4.6)
    blocks[:, :, :2] = numpy.frombuffer(scale.tobytes(), dtype=numpy.uint8)
    return blocks.reshape(rows, -1)


def add_vocabulary(writer, directory):
    vocabulary = json.loads((directory / "vocab.json").read_text())
    merges = [line for line in (directory / "merges.txt").read_text().splitlines() if line and line[0:8] != "#version"]
    tokens = [text for text, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    types = [1] * len(tokens) + [3] * len(special)
    tokens += special
    padding = VOCABULARY - len(tokens)
    tokens += [f"[PAD{i}]" for i in range(padding)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types + [5] * padding)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)


def add_tensors(writer, quantised, block_bytes):
    rng = numpy.random.default_rng(1)

    def matrix(name, rows, columns):
        writer.add_tensor(name, random_blocks(rng, rows, columns, block_bytes), raw_dtype=quantised)

    def norm(name, width):
        writer.add_tensor(name, numpy.ones(width, dtype=numpy.float32))

    matrix("token_embd.weight", VOCABULARY, HIDDEN)
    norm("output_norm.weight", HIDDEN)
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        for name, width in (("attn_norm", HIDDEN), ("ffn_norm", HIDDEN), ("attn_q_norm", HEAD_DIM),
                            ("attn_k_norm", HEAD_DIM)):
            norm(f"{prefix}{name}.weight", width)
        for name, rows, columns in (("attn_q", HEADS * HEAD_DIM, HIDDEN), ("attn_k", KV_HEADS * HEAD_DIM, HIDDEN),
                                    ("attn_v", KV_HEADS * HEAD_DIM, HIDDEN), ("attn_output", HIDDEN, HEADS * HEAD_DIM),
                                    ("ffn_gate", FFN, HIDDEN), ("ffn_up", FFN, HIDDEN), ("ffn_down", HIDDEN, FFN)):
            matrix(f"{prefix}{name}.weight", rows, columns)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in TYPES:
        sys.exit(__doc__)
    quantised, block_bytes = TYPES[sys.argv[1]]
    writer = gguf.GGUFWriter(sys.argv[3] + ".part", "qwen3")
    writer.add_name("random Qwen3-0.6B")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    add_vocabulary(writer, pathlib.Path(sys.argv[2]))
    add_tensors(writer, quantised, block_bytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    pathlib.Path(sys.argv[3] + ".part").rename(sys.argv[3])


if __name__ == "__main__":
    main()
