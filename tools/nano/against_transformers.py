"""Checks the model file against Hugging Face transformers: same weights, same prompt, same logits.

Needs `pip install transformers` besides requirements.txt; nothing else here does.
"""

import argparse
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from corpus import MODEL_DIR
from golden import CHATS
from load_gguf import load

HF_NAMES = {
    "embed": "model.embed_tokens", "attn.q_norm": "self_attn.q_norm", "attn.k_norm": "self_attn.k_norm", "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj", "attn.v": "self_attn.v_proj", "attn.out": "self_attn.o_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm", "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj", "norm": "model.norm",
}


def hf_name(ours: str) -> str:
    if not ours.startswith("layers."):
        return HF_NAMES[ours.removesuffix(".weight")] + ".weight"
    _, layer, part = ours.removesuffix(".weight").split(".", 2)
    return f"model.layers.{layer}.{HF_NAMES[part]}.weight"


def transformers_model(model) -> Qwen3ForCausalLM:
    s = model.s
    config = Qwen3Config(
        vocab_size=s.vocab, hidden_size=s.hidden, intermediate_size=s.ffn, num_hidden_layers=s.layers, num_attention_heads=s.heads,
        num_key_value_heads=s.kv_heads, head_dim=s.head_dim, max_position_embeddings=s.context, rms_norm_eps=s.eps,
        rope_parameters={"rope_type": "default", "rope_theta": s.rope_base}, tie_word_embeddings=True, attention_bias=False,
    )
    other = Qwen3ForCausalLM(config).float().eval()
    state = {hf_name(n): t for n, t in model.state_dict().items()}
    left = other.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}, left
    other.tie_weights()
    return other


@torch.no_grad()
def main(path: Path) -> None:
    model, chat, _ = load(path)
    other = transformers_model(model)
    worst = 0.0
    long = [m for c in CHATS for m in c] * 5
    for messages in [*CHATS, long]:
        ids = torch.tensor([chat.prompt(messages)[: model.s.context]])
        mine, theirs = model(ids), other(ids).logits
        worst = max(worst, float((mine - theirs).abs().max() / theirs.abs().max()))
        assert torch.equal(mine.argmax(-1), theirs.argmax(-1)) or worst < 1e-4
    print(f"largest difference relative to the largest logit: {worst:.1e}")
    if worst >= 1e-4:
        raise SystemExit("the network is not Qwen3")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguf", type=Path, default=MODEL_DIR / "feilun-nano.gguf")
    main(p.parse_args().gguf)
