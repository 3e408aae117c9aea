"""Writes tests/golden/decoder_logits.json: what transformers answers for two small models with made-up weights.

The weights are not stored: both this script and the C++ test (src/model/decoder_test_model.h) draw them from the same
generator in the same order.
"""

import json
import math
import os
import sys

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

MASK = (1 << 64) - 1


class Numbers:
    """The generator of TestNumbers."""

    def __init__(self, seed):
        self.state = seed * 2 + 1

    def bits(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return ((self.state >> 33) ^ (self.state >> 60)) & 0xFFFFFFFF

    def tensor(self, shape, deviation, mean=0.0):
        count = math.prod(shape)
        values = [((self.bits() & 0xFFFFFF) / 0x800000 - 1.0) * 1.7320508 * deviation for _ in range(count)]
        numbers = np.array(values, dtype=np.float64).astype(np.float32) + np.float32(mean)
        return torch.from_numpy(numbers.astype(np.float32).reshape(shape))


def fill(model, config, qk_norm, tied, seed):
    numbers = Numbers(seed)
    state = model.state_dict()

    def matrix(name, columns, depth, gain):
        state[name].copy_(numbers.tensor((columns, depth), gain / math.sqrt(depth)))

    def norm(name, count):
        state[name].copy_(numbers.tensor((count,), 0.2, 1.0))

    hidden, width = config.hidden_size, config.head_dim
    q, kv = config.num_attention_heads * width, config.num_key_value_heads * width
    matrix("model.embed_tokens.weight", config.vocab_size, hidden, math.sqrt(hidden))
    if not tied:
        matrix("lm_head.weight", config.vocab_size, hidden, 3.0)
    norm("model.norm.weight", hidden)
    for i in range(config.num_hidden_layers):
        layer = f"model.layers.{i}."
        norm(layer + "input_layernorm.weight", hidden)
        norm(layer + "post_attention_layernorm.weight", hidden)
        if qk_norm:
            norm(layer + "self_attn.q_norm.weight", width)
            norm(layer + "self_attn.k_norm.weight", width)
        matrix(layer + "self_attn.q_proj.weight", q, hidden, 1.5)
        matrix(layer + "self_attn.k_proj.weight", kv, hidden, 1.5)
        matrix(layer + "self_attn.v_proj.weight", kv, hidden, 1.0)
        matrix(layer + "self_attn.o_proj.weight", hidden, q, 1.0)
        matrix(layer + "mlp.gate_proj.weight", config.intermediate_size, hidden, 1.0)
        matrix(layer + "mlp.up_proj.weight", config.intermediate_size, hidden, 1.0)
        matrix(layer + "mlp.down_proj.weight", hidden, config.intermediate_size, 1.0)


def answer(name, model, config, qk_norm, tied):
    with torch.no_grad():
        fill(model, config, qk_norm, tied, seed=1)
        numbers = Numbers(7)
        tokens = [numbers.bits() % config.vocab_size for _ in range(300)]
        logits = model(torch.tensor([tokens])).logits[0]
    return {"model": name, "greedy": logits.argmax(-1).tolist(), "last": [round(float(x), 6) for x in logits[-1]]}


def main():
    torch.manual_seed(0)
    common = dict(num_hidden_layers=2, max_position_embeddings=1024, attention_bias=False)
    llama = LlamaConfig(vocab_size=307, hidden_size=64, intermediate_size=172, num_attention_heads=8,
                        num_key_value_heads=4, head_dim=8, rms_norm_eps=1e-5, rope_theta=10000.0,
                        tie_word_embeddings=False, **common)
    qwen3 = Qwen3Config(vocab_size=320, hidden_size=96, intermediate_size=160, num_attention_heads=6,
                        num_key_value_heads=2, head_dim=32, rms_norm_eps=1e-6, rope_theta=1e6,
                        tie_word_embeddings=True, **common)
    answers = [answer("llama", LlamaForCausalLM(llama).float().eval(), llama, False, False),
               answer("qwen3", Qwen3ForCausalLM(qwen3).float().eval(), qwen3, True, True)]
    with open(os.path.join(sys.argv[2], "decoder_logits.json"), "w") as out:
        json.dump(answers, out, separators=(",", ":"))


main()
