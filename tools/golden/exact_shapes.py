"""Writes models of random weights in the exact shapes of released ones, and what transformers answers for them.

    exact_shapes.py FOLDER [NAME …]

FOLDER/NAME becomes a Hugging Face directory (BF16 weights) with a goldens.json, which `feilun model check` reads. The
large ones have two layers. These files are gigabytes: they are made anew where they are wanted, never kept.

The final norm is scaled until the median of the top probabilities is a half: where one token has all the probability,
or all have the same, wrong logits look right.
"""

import json
import os
import sys

import torch
import transformers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import letter_tokenizer

PROMPTS = (1, 17, 600)
STEPS = 50
ANSWERED_STEPS = (0, 1, 2, 5, 10, 25, 49, 50)
TOP = 20
SAMPLED = 300

LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=8192)

SHAPES = {
    "smollm2-135m": ("Llama", dict(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        intermediate_size=1536, max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0))),
    "qwen2.5-0.5b": ("Qwen2", dict(
        vocab_size=151936, hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        intermediate_size=4864, max_position_embeddings=32768, rms_norm_eps=1e-6, tie_word_embeddings=True,
        use_sliding_window=False, sliding_window=32768, max_window_layers=21,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "qwen3-0.6b": ("Qwen3", dict(
        vocab_size=151936, hidden_size=1024, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
        head_dim=128, intermediate_size=3072, max_position_embeddings=40960, rms_norm_eps=1e-6,
        tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "llama-3.2-1b": ("Llama", dict(
        vocab_size=128256, hidden_size=2048, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8,
        head_dim=64, intermediate_size=8192, max_position_embeddings=131072, rms_norm_eps=1e-5,
        tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "mistral-7b-2-layers": ("Mistral", dict(
        vocab_size=32000, hidden_size=4096, num_hidden_layers=2, num_attention_heads=32, num_key_value_heads=8,
        intermediate_size=14336, max_position_embeddings=32768, rms_norm_eps=1e-5, sliding_window=4096,
        tie_word_embeddings=False, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "glm-4-9b-2-layers": ("Glm4", dict(
        vocab_size=151552, hidden_size=4096, num_hidden_layers=2, num_attention_heads=32, num_key_value_heads=2,
        head_dim=128, intermediate_size=13696, max_position_embeddings=32768, rms_norm_eps=1e-5, attention_bias=True,
        tie_word_embeddings=False, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "qwen3-moe-tiny": ("Qwen3Moe", dict(
        vocab_size=8192, hidden_size=512, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=2,
        head_dim=64, intermediate_size=1536, moe_intermediate_size=192, num_experts=32, num_experts_per_tok=8,
        norm_topk_prob=True, max_position_embeddings=32768, tie_word_embeddings=False,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
}


def fill(model, seed):
    """As models are initialised for training: what a layer adds gets smaller with their number, so that the errors of
    quantising are not blown up from layer to layer. The final norm has weights of both signs: where the output shares
    the table of embeddings, the token just read would be the only answer otherwise."""
    generator = torch.Generator().manual_seed(seed)
    branch = (2 * model.config.num_hidden_layers) ** -0.5
    for name, parameter in model.named_parameters():
        mean, deviation = 0.0, 2.0 if "embed_tokens" in name else parameter.shape[-1] ** -0.5
        if parameter.dim() == 1:
            mean, deviation = (0.0, 0.5) if name.endswith("bias") else (1.0, 0.2)
        numbers = torch.empty(parameter.shape, dtype=torch.float32).normal_(mean, deviation, generator=generator)
        if any(part in name for part in ("o_proj", "down_proj", "post_self_attn_layernorm", "post_mlp_layernorm")):
            numbers *= branch
        if name == "model.norm.weight":
            numbers *= torch.randint(0, 2, numbers.shape, generator=generator) * 2 - 1
        parameter.copy_(numbers.to(torch.bfloat16))


def answered_logits(model, tokens, prompt):
    positions = [prompt - 1 + step for step in ANSWERED_STEPS]
    out = model(torch.tensor([tokens]), logits_to_keep=torch.tensor(positions), use_cache=False)
    return positions, out.logits[0]


def scale_answers(model, runs):
    """Multiplies the final norm so that the median top probability of the runs is a half."""
    logits = torch.cat([answered_logits(model, tokens, prompt)[1] for tokens, prompt in runs])
    low, high = 0.01, 100.0
    for _ in range(40):
        factor = (low * high) ** 0.5
        top = (logits * factor).softmax(-1).max(-1).values.median().item()
        low, high = (factor, high) if top < 0.5 else (low, factor)
    norm = model.model.norm.weight
    norm.copy_((norm * factor).to(torch.bfloat16))


def golden(model, tokens, prompt, sampled):
    positions, logits = answered_logits(model, tokens, prompt)
    answers = []
    for position, row in zip(positions, logits):
        top = row.topk(TOP)
        answers.append(dict(position=position, largest=row.abs().max().item(), log_sum=row.logsumexp(-1).item(),
                            top_ids=top.indices.tolist(), top_logits=top.values.tolist(),
                            sampled_logits=row[sampled].tolist()))
    tops = logits.softmax(-1).max(-1).values
    return dict(tokens=tokens, prompt=prompt, answers=answers), tops


def write(name, folder):
    family, settings = SHAPES[name]
    config = getattr(transformers, family + "Config")(**settings, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    model = getattr(transformers, family + "ForCausalLM")(config).float().eval()
    fill(model, seed=1)
    model.tie_weights()
    generator = torch.Generator().manual_seed(2)
    vocabulary = config.vocab_size
    runs = [(torch.randint(3, vocabulary, (p + STEPS,), generator=generator).tolist(), p) for p in PROMPTS]
    sampled = torch.randperm(vocabulary, generator=generator)[:SAMPLED].sort().values
    scale_answers(model, runs)
    prompts, tops = zip(*(golden(model, tokens, prompt, sampled) for tokens, prompt in runs))
    out = os.path.join(folder, name)
    model.to(torch.bfloat16).save_pretrained(out)
    letter_tokenizer.write(out)
    with open(os.path.join(out, "goldens.json"), "w") as file:
        json.dump(dict(sampled_ids=sampled.tolist(), prompts=prompts), file)
    tops = torch.cat(tops)
    print(f"{name}: top probability {tops.min():.2f} … {tops.max():.2f}, median {tops.median():.2f}", flush=True)


def main():
    with torch.no_grad():
        for name in sys.argv[2:] or SHAPES:
            write(name, sys.argv[1])


main()
