#!/usr/bin/env python3
"""Small GGUF models written by PyPI's gguf: tests/golden/gguf, and seeds for the fuzzers of GGUF files.

- mixed.gguf: a llama whose matrices have all the types that are requantised while loading;
- mixed_logits.json: what transformers answers in F32 with those weights, dequantised by gguf;
- whole.gguf: a smaller llama in Q8_0, and the same split: split-00001-of-00003.gguf and so on.
"""
import json
import math
import pathlib
import shutil
import struct
import sys

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import k_quants

TOKENS = ["<unk>", "<s>", "</s>", "▁"] + [chr(ord("a") + i) for i in range(12)]
SPECIAL = {0: 2, 1: 3, 2: 3}  # token types: unknown, control


class Shape:
    def __init__(self, hidden, ffn, types):
        self.hidden, self.ffn, self.types = hidden, ffn, types
        self.heads, self.kv_heads, self.head_dim = 4, 2, 8

    def matrices(self):
        """Name, rows, columns; columns are the input."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        yield "token_embd", len(TOKENS), self.hidden
        yield "blk.0.attn_q", q, self.hidden
        yield "blk.0.attn_k", kv, self.hidden
        yield "blk.0.attn_v", kv, self.hidden
        yield "blk.0.attn_output", self.hidden, q
        yield "blk.0.ffn_gate", self.ffn, self.hidden
        yield "blk.0.ffn_up", self.ffn, self.hidden
        yield "blk.0.ffn_down", self.hidden, self.ffn


MIXED = Shape(256, 32, {"token_embd": "Q6_K", "blk.0.attn_q": "Q4_K", "blk.0.attn_k": "Q5_K", "blk.0.attn_v": "Q6_K",
                        "blk.0.attn_output": "Q5_0", "blk.0.ffn_gate": "Q4_1", "blk.0.ffn_up": "Q4_K",
                        "blk.0.ffn_down": "Q5_1"})
SMALL = Shape(32, 32, {})


def write_head(writer, shape):
    writer.add_name("golden")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([-float(i) for i in range(len(TOKENS))])
    writer.add_token_types([SPECIAL.get(i, 1) for i in range(len(TOKENS))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def write(path, shape, **split):
    rng = np.random.default_rng(11)
    writer = gguf.GGUFWriter(path, "llama", **split)
    write_head(writer, shape)
    for name, rows, columns in shape.matrices():
        kind = shape.types.get(name, "Q8_0")
        spread = 1 / math.sqrt(columns) if name != "token_embd" else 0.05
        values = k_quants.packed(kind, (rng.standard_normal((rows, columns)) * spread).astype(np.float32))
        writer.add_tensor(name + ".weight", values, raw_dtype=gguf.GGMLQuantizationType[kind])
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(name + ".weight", (1 + 0.2 * rng.standard_normal(shape.hidden)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


HF_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm",
            "blk.0.attn_norm": "model.layers.0.input_layernorm",
            "blk.0.ffn_norm": "model.layers.0.post_attention_layernorm",
            "blk.0.attn_q": "model.layers.0.self_attn.q_proj", "blk.0.attn_k": "model.layers.0.self_attn.k_proj",
            "blk.0.attn_v": "model.layers.0.self_attn.v_proj", "blk.0.attn_output": "model.layers.0.self_attn.o_proj",
            "blk.0.ffn_gate": "model.layers.0.mlp.gate_proj", "blk.0.ffn_up": "model.layers.0.mlp.up_proj",
            "blk.0.ffn_down": "model.layers.0.mlp.down_proj"}


def halves(rows, head_dim):
    """Rows of Q or K, of which RoPE turns neighbours, so that it turns the two halves of a head."""
    return rows.reshape(-1, head_dim // 2, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def logits(path, shape):
    """Tokens, and the logits after each of them."""
    config = LlamaConfig(vocab_size=len(TOKENS), hidden_size=shape.hidden, intermediate_size=shape.ffn,
                         num_hidden_layers=1, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
                         head_dim=shape.head_dim, rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=64,
                         tie_word_embeddings=True)
    model = LlamaForCausalLM(config).float().eval()
    state = model.state_dict()
    for tensor in gguf.GGUFReader(path).tensors:
        name = tensor.name.removesuffix(".weight")
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if name in ("blk.0.attn_q", "blk.0.attn_k"):
            values = halves(values, shape.head_dim)
        state[HF_NAMES[name] + ".weight"].copy_(torch.from_numpy(values.copy()))
    tokens = [1] + [3 + i * 7 % 13 for i in range(40)]
    with torch.no_grad():
        rows = model(torch.tensor([tokens])).logits[0]
    return {"tokens": tokens, "logits": [[round(float(x), 6) for x in row] for row in rows]}


def seed_pair(out, first, second):
    """An input of fuzz/gguf_split_fuzz.cc: the size of the first part, the first part, the second."""
    a, b = first.read_bytes(), second.read_bytes()
    out.write_bytes(struct.pack("<I", len(a)) + a + b)


def main():
    _, golden = map(pathlib.Path, sys.argv[1:3])
    out = golden / "gguf"
    out.mkdir(exist_ok=True)
    write(out / "mixed.gguf", MIXED)
    (out / "mixed_logits.json").write_text(json.dumps(logits(out / "mixed.gguf", MIXED)) + "\n")
    write(out / "whole.gguf", SMALL)
    write(out / "split.gguf", SMALL, split_max_tensors=4)
    corpus = golden.parent.parent / "fuzz" / "corpus"
    shutil.copy(out / "mixed.gguf", corpus / "gguf" / "mixed.gguf")
    shutil.copy(out / "split-00002-of-00003.gguf", corpus / "gguf" / "part-2-of-3.gguf")
    pairs = corpus / "gguf_split"
    pairs.mkdir(exist_ok=True)
    write(pairs / "two.gguf", SMALL, split_max_tensors=6)
    parts = [pairs / f"two-0000{i}-of-00002.gguf" for i in (1, 2)]
    seed_pair(pairs / "pair", *parts)
    seed_pair(pairs / "twice_the_first", parts[0], parts[0])
    for part in parts:
        part.unlink()


main()
