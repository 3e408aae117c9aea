"""Writes a transformers model as GGUF the way llama.cpp's converter lays each family out: the rows of Q and K of llama
so that neighbours turn together, gate and up of some families in one tensor, the experts of a layer in one tensor, the
norms of Gemma with the one that Hugging Face leaves out."""

import gguf
import numpy as np
import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

import letter_tokenizer

ARCHITECTURES = {"mistral": "llama", "qwen3_moe": "qwen3moe"}

NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.qkv_proj.weight": "attn_qkv.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.o_proj.bias": "attn_output.bias",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "post_self_attn_layernorm.weight": "post_attention_norm.weight",
    "post_mlp_layernorm.weight": "post_ffw_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.gate_up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "mlp.gate.weight": "ffn_gate_inp.weight",
    "mlp.experts.down_proj": "ffn_down_exps.weight",
}
GEMMA_NAMES = {
    "post_attention_layernorm.weight": "post_attention_norm.weight",
    "pre_feedforward_layernorm.weight": "ffn_norm.weight",
    "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
}
OUTER_NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
               "lm_head.weight": "output.weight"}


def neighbours(rows, heads):
    """Element j of a head's first half and element j of its second half side by side."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def tensors(model, config, architecture):
    """(GGUF name, array) of every tensor."""
    for name, parameter in model.named_parameters():
        values = parameter.detach().float().numpy()
        if config.model_type == "gemma2" and name.endswith("norm.weight"):
            values = values + np.float32(1)
        if name in OUTER_NAMES:
            yield OUTER_NAMES[name], values
            continue
        layer, rest = name.removeprefix("model.layers.").split(".", 1)
        prefix = f"blk.{layer}."
        part = rest.removeprefix("self_attn.").split("_")[0]
        if part in ("q", "k", "v") and "_proj" in rest:
            heads = config.num_attention_heads if part == "q" else config.num_key_value_heads
            turned = architecture == "llama" and part != "v"
            yield f"{prefix}attn_{part}.{rest.split('.')[-1]}", neighbours(values, heads) if turned else values
        elif rest == "mlp.experts.gate_up_proj":
            gate, up = np.split(values, 2, axis=1)
            yield prefix + "ffn_gate_exps.weight", np.ascontiguousarray(gate)
            yield prefix + "ffn_up_exps.weight", np.ascontiguousarray(up)
        else:
            names = {**NAMES, **GEMMA_NAMES} if config.model_type == "gemma2" else NAMES
            yield prefix + names[rest], values


def write_rope(writer, config, head_dim):
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope["rope_theta"])
    turned = int(head_dim * rope.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(turned)
    if rope["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        writer.add_rope_scaling_factor(rope["factor"])
        if rope["rope_type"] == "yarn":
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif rope["rope_type"] == "llama3":
        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
        plain = 1.0 / rope["rope_theta"] ** (torch.arange(0, head_dim, 2).float() / head_dim)
        writer.add_tensor("rope_freqs.weight", (plain / scaled).numpy().astype(np.float32))


def write_settings(writer, config, head_dim):
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if config.model_type in ("mistral", "gemma2", "phi3"):
        writer.add_sliding_window(config.sliding_window)
    if config.model_type == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
        writer.add_attention_scale(config.query_pre_attn_scalar ** -0.5)
    if config.model_type == "qwen3_moe":
        writer.add_expert_count(config.num_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)


def write_tokenizer(writer, vocabulary):
    tokens = letter_tokenizer.letters(vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (vocabulary - 3))
    writer.add_token_merges([])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def write(name, model, path):
    config = model.config
    architecture = ARCHITECTURES.get(config.model_type, config.model_type)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer = gguf.GGUFWriter(path, architecture)
    write_settings(writer, config, head_dim)
    write_rope(writer, config, head_dim)
    write_tokenizer(writer, config.vocab_size)
    for tensor, values in tensors(model, config, architecture):
        half = values.ndim > 1 and np.array_equal(values.astype(np.float16).astype(np.float32), values)
        writer.add_tensor(tensor, values.astype(np.float16) if half else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
