"""Writes tests/golden/models: a tiny model of each family, what transformers answers for it, and the same model as GGUF.

    tiny_models.py TESTDATA tests/golden

NAME/ is what save_pretrained writes (BF16 weights), NAME.json the answers in F32, NAME.gguf the weights in F32 as
llama.cpp's converter lays them out, written with PyPI's gguf. All weights are random. The weights of the final norm
are scaled until the answers are neither flat nor certain: where one token has all the probability, or all have the
same, wrong logits look right.
"""

import json
import os
import shutil
import sys

import torch
import transformers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import letter_tokenizer
import tiny_gguf

PROMPTS = (1, 17, 70)
STEPS = 4
VOCABULARY = 64

COMMON = dict(vocab_size=VOCABULARY, num_hidden_layers=2, hidden_size=40, intermediate_size=28, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)
WINDOWED = dict(sliding_window=20, attn_implementation="eager")

MODELS = {
    "llama": ("Llama", dict(tie_word_embeddings=False, rope_parameters=dict(
        rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32))),
    "llama_biased": ("Llama", dict(attention_bias=True, tie_word_embeddings=True, rope_parameters=dict(
        rope_type="linear", rope_theta=10000.0, factor=4.0))),
    "mistral": ("Mistral", dict(head_dim=12, tie_word_embeddings=False, **WINDOWED)),
    "qwen2": ("Qwen2", dict(tie_word_embeddings=True, use_sliding_window=True, max_window_layers=1,
                            rope_parameters=dict(rope_type="yarn", rope_theta=1000.0, factor=4.0,
                                                 original_max_position_embeddings=32), **WINDOWED)),
    "qwen3": ("Qwen3", dict(head_dim=20, tie_word_embeddings=True)),
    "qwen3moe": ("Qwen3Moe", dict(head_dim=12, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=12,
                                  norm_topk_prob=True, tie_word_embeddings=False)),
    "glm4": ("Glm4", dict(head_dim=12, tie_word_embeddings=False)),
    "gemma2": ("Gemma2", dict(head_dim=12, query_pre_attn_scalar=24, attn_logit_softcapping=4.0,
                              final_logit_softcapping=9.0, **WINDOWED)),
    "phi3": ("Phi3", dict(tie_word_embeddings=False, sliding_window=30, attn_implementation="eager",
                          original_max_position_embeddings=256,
                          rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.8))),
}


def spread(name, parameter, less_one):
    """Mean and deviation of a parameter's random numbers."""
    if parameter.dim() == 1:
        return (0.0, 0.5) if name.endswith("bias") else (0.0 if less_one else 1.0, 0.2)
    if "embed_tokens" in name:
        return 0.0, 0.3 if less_one else 1.0
    gain = 1.8 if any(part in name for part in ("q_proj", "k_proj", "qkv_proj", "mlp.gate.weight")) else 1.0
    return 0.0, gain / parameter.shape[-1] ** 0.5


def fill(model, less_one, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        mean, deviation = spread(name, parameter, less_one)
        numbers = mean + deviation * torch.randn(parameter.shape, generator=generator)
        parameter.copy_(numbers.to(torch.bfloat16).float())


def median_top(model, prompts):
    tops = [model(torch.tensor([p])).logits[0].softmax(-1).max(-1).values for p in prompts]
    return torch.cat(tops).median().item()


def scale_answers(model, less_one, prompts):
    norm = model.model.norm.weight
    whole = norm.clone() + (1.0 if less_one else 0.0)
    factor = 1.0
    for _ in range(40):
        norm.copy_((whole * factor - (1.0 if less_one else 0.0)).to(torch.bfloat16).float())
        top = median_top(model, prompts)
        if 0.4 < top < 0.6:
            return top
        factor *= 1.1 if top <= 0.4 else 0.9
    raise SystemExit(f"the answers cannot be scaled: the median top probability is {top}")


def answer(model, tokens, prompt):
    """Logits after the prompt and after each of the tokens that follow it."""
    past = transformers.DynamicCache(config=model.config)
    rows = [model(torch.tensor([tokens[:prompt]]), past_key_values=past, use_cache=True).logits[0, -1]]
    for token in tokens[prompt:]:
        rows.append(model(torch.tensor([[token]]), past_key_values=past, use_cache=True).logits[0, -1])
    return rows


def write(name, family, settings, folder, seed):
    config = getattr(transformers, family + "Config")(**{**COMMON, **settings})
    model = getattr(transformers, family + "ForCausalLM")(config).float().eval()
    less_one = family == "Gemma2"
    generator = torch.Generator().manual_seed(100 + seed)
    prompts = [torch.randint(3, VOCABULARY, (p + STEPS,), generator=generator).tolist() for p in PROMPTS]
    fill(model, less_one, seed)
    model.tie_weights()
    top = scale_answers(model, less_one, prompts)
    answers = [dict(tokens=tokens, prompt=prompt,
                    logits=[[round(x, 6) for x in row.tolist()] for row in answer(model, tokens, prompt)])
               for tokens, prompt in zip(prompts, PROMPTS)]
    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    tiny_gguf.write(name, model, os.path.join(folder, name + ".gguf"))
    model.to(torch.bfloat16).save_pretrained(os.path.join(folder, name))
    letter_tokenizer.write(os.path.join(folder, name), VOCABULARY)
    with open(os.path.join(folder, name + ".json"), "w") as out:
        json.dump(answers, out, separators=(",", ":"))
    print(f"{name}: median top probability {top:.2f}")


def main():
    folder = os.path.join(sys.argv[2], "models")
    os.makedirs(folder, exist_ok=True)
    torch.use_deterministic_algorithms(True)
    with torch.no_grad():
        for seed, (name, (family, settings)) in enumerate(MODELS.items(), 1):
            write(name, family, settings, folder, seed)


main()
