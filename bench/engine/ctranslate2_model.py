"""Writes a CTranslate2 model directory of an F16 GGUF's weights, in int8 with a scale a row.

    ctranslate2_model.py F16.gguf int8 OUT_DIRECTORY

What CTranslate2's own converter makes of Qwen2 and Qwen3, without transformers and torch.
"""
import pathlib
import sys

import gguf
import numpy
from ctranslate2.specs import common_spec, transformer_spec
from ctranslate2.converters import utils


class Weights:
    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}

    def setting(self, name):
        return self.reader.fields[name].contents()

    def of(self, name):
        return numpy.asarray(self.tensors[name].data, dtype=numpy.float32)

    def linear(self, prefix):
        spec = common_spec.LinearSpec()
        self.fill(spec, prefix)
        return spec

    def fill(self, spec, prefix):
        spec.weight = self.of(f"{prefix}.weight")
        if f"{prefix}.bias" in self.tensors:
            spec.bias = self.of(f"{prefix}.bias")


def set_layer(spec, weights, prefix):
    spec.self_attention.layer_norm.gamma = weights.of(f"{prefix}attn_norm.weight")
    spec.ffn.layer_norm.gamma = weights.of(f"{prefix}ffn_norm.weight")
    if f"{prefix}attn_q_norm.weight" in weights.tensors:
        spec.self_attention.q_norm.gamma = weights.of(f"{prefix}attn_q_norm.weight")
        spec.self_attention.k_norm.gamma = weights.of(f"{prefix}attn_k_norm.weight")
    utils.fuse_linear(spec.self_attention.linear[0],
                      [weights.linear(f"{prefix}attn_{name}") for name in ("q", "k", "v")])
    weights.fill(spec.self_attention.linear[1], f"{prefix}attn_output")
    weights.fill(spec.ffn.linear_0, f"{prefix}ffn_gate")
    weights.fill(spec.ffn.linear_0_noact, f"{prefix}ffn_up")
    weights.fill(spec.ffn.linear_1, f"{prefix}ffn_down")


def main():
    if len(sys.argv) != 4 or sys.argv[2] != "int8":
        sys.exit(__doc__)
    weights, out = Weights(sys.argv[1]), pathlib.Path(sys.argv[3])
    name = weights.setting("general.architecture")
    head_dim = weights.setting(f"{name}.attention.key_length")
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        weights.setting(f"{name}.block_count"), weights.setting(f"{name}.attention.head_count"),
        activation=common_spec.Activation.SWISH, pre_norm=True, ffn_glu=True, rms_norm=True, rotary_dim=head_dim,
        rotary_interleave=False, rotary_base=weights.setting(f"{name}.rope.freq_base"),
        num_heads_kv=weights.setting(f"{name}.attention.head_count_kv"), head_dim=head_dim,
        qk_norm=name == "qwen3", quant_type=common_spec.Quantization.CT2)
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = weights.of("token_embd.weight")
    decoder.projection.weight = decoder.embeddings.weight
    decoder.layer_norm.gamma = weights.of("output_norm.weight")
    for number, layer in enumerate(decoder.layer):
        set_layer(layer, weights, f"blk.{number}.")
    tokens = weights.setting("tokenizer.ggml.tokens")
    spec.register_vocabulary(tokens)
    spec.config.bos_token = spec.config.unk_token = "<|endoftext|>"
    spec.config.eos_token = "<|im_end|>"
    spec.config.layer_norm_epsilon = 1e-6
    spec.validate()
    spec.optimize(quantization="int8")
    part = out.with_name(out.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    spec.save(str(part))
    part.rename(out)


if __name__ == "__main__":
    main()
