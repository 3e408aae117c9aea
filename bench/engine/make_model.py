#!/usr/bin/env python3
"""Writes a GGUF with the exact shape of a released model, random weights and Qwen2's real vocabulary.

    make_model.py SHAPE q8_0|q4_0|f16 VOCABULARY_DIRECTORY OUT.gguf

Random weights time like trained ones. Every type holds the same weights, each rounded in its own way. They are normal
with a deviation of 0.7/√columns, which keeps the activations in range through all layers. Attention adds a tenth of
that: were it as strong as the token itself, the average of a random context would drown the token, and greedy decoding
would say the same word for ever, a gift to whoever speculates. Logits are scaled so that the best token has a
probability worth comparing. The embedding, which is the output matrix too, is Q8_0 in the Q4_0 file, as
llama-quantize does where columns are no multiple of 256.
"""
import json
import pathlib
import sys
import zlib

import gguf
import numpy

import shapes

QUANTISED = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0,
             "f16": gguf.GGMLQuantizationType.F16}
EMBEDDING = {**QUANTISED, "q4_0": gguf.GGMLQuantizationType.Q8_0}
LOGIT_DEVIATION = 5.0
GAIN = {"attn_output": 0.07}
BIAS_DEVIATION = 0.02
EMBEDDING_DEVIATION = 0.02


def add_vocabulary(writer, directory, size):
    vocabulary = json.loads((directory / "vocab.json").read_text())
    merges = [line for line in (directory / "merges.txt").read_text().splitlines() if line and line[0:8] != "#version"]
    tokens = [text for text, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    types = [1] * len(tokens) + [3] * len(special)
    tokens += special
    padding = size - len(tokens)
    tokens += [f"[PAD{i}]" for i in range(padding)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types + [5] * padding)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
                             "<|im_end|>\n{% endfor %}<|im_start|>assistant\n")


def add_settings(writer, shape):
    writer.add_name(f"random {shape.name}")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)


def random_weights(name, rows, columns, deviation):
    rng = numpy.random.default_rng(zlib.crc32(name.encode()))
    return rng.standard_normal((rows, columns), dtype=numpy.float32) * numpy.float32(deviation)


def add_tensors(writer, shape, type_name):
    def matrix(name, rows, columns, deviation, as_type):
        weights = random_weights(name, rows, columns, deviation)
        writer.add_tensor(name, gguf.quants.quantize(weights, as_type), raw_dtype=as_type)

    def vector(name, width, value=1.0):
        writer.add_tensor(name, numpy.full(width, value, dtype=numpy.float32))

    matrix("token_embd.weight", shape.vocabulary, shape.hidden, EMBEDDING_DEVIATION, EMBEDDING[type_name])
    vector("output_norm.weight", shape.hidden, LOGIT_DEVIATION / (EMBEDDING_DEVIATION * shape.hidden**0.5))
    for layer in range(shape.layers):
        prefix = f"blk.{layer}."
        vector(f"{prefix}attn_norm.weight", shape.hidden)
        vector(f"{prefix}ffn_norm.weight", shape.hidden)
        for name, rows, columns in shape.matrices():
            matrix(f"{prefix}{name}.weight", rows, columns, GAIN.get(name, 0.7) / columns**0.5,
                   QUANTISED[type_name])
            if shape.architecture == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
                bias = random_weights(f"{prefix}{name}.bias", 1, rows, BIAS_DEVIATION)[0]
                writer.add_tensor(f"{prefix}{name}.bias", bias)
        if shape.architecture == "qwen3":
            vector(f"{prefix}attn_q_norm.weight", shape.head_dim)
            vector(f"{prefix}attn_k_norm.weight", shape.head_dim)


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in shapes.SHAPES or sys.argv[2] not in QUANTISED:
        sys.exit(__doc__)
    shape, type_name, out = shapes.SHAPES[sys.argv[1]], sys.argv[2], sys.argv[4]
    file_types = {"q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
                  "f16": gguf.LlamaFileType.MOSTLY_F16}
    writer = gguf.GGUFWriter(out + ".part", shape.architecture)
    writer.add_file_type(file_types[type_name])
    writer.add_quantization_version(2)
    add_settings(writer, shape)
    add_vocabulary(writer, pathlib.Path(sys.argv[3]), shape.vocabulary)
    add_tensors(writer, shape, type_name)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    pathlib.Path(out + ".part").rename(out)


if __name__ == "__main__":
    main()
