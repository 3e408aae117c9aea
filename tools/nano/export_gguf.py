"""Writes the model file: GGUF v3 with the names and metadata llama.cpp's converter gives Qwen3.

Matrices become Q8_0 (blocks of 32 eight-bit numbers with one scale), norms stay F32.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from model import Nano, Shape
from tokenizer import CHAT_TEMPLATE, END_OF_TEXT, IM_END, IM_START

# GGUF's name for each part of a layer, and ours.
LAYER_NAMES = {
    "attn_norm": "attn_norm", "attn_q": "attn.q", "attn_k": "attn.k", "attn_v": "attn.v", "attn_output": "attn.out",
    "attn_q_norm": "attn.q_norm", "attn_k_norm": "attn.k_norm", "ffn_norm": "ffn_norm", "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
}


def tensor_names(layers: int) -> dict[str, str]:
    names = {"token_embd.weight": "embed.weight", "output_norm.weight": "norm.weight"}
    for i in range(layers):
        names |= {f"blk.{i}.{theirs}.weight": f"layers.{i}.{ours}.weight" for theirs, ours in LAYER_NAMES.items()}
    return names


def export(work: Path, out: Path) -> None:
    s = Shape()
    state = torch.load(work / "weights.pt", map_location="cpu")
    tok = Tokenizer.from_file(str(work / "tokenizer.json"))
    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(tok.to_str())["model"]["merges"]]
    w = gguf.GGUFWriter(str(out), "qwen3")
    w.add_name("feilun-nano")
    w.add_license("apache-2.0")
    w.add_block_count(s.layers)
    w.add_context_length(s.context)
    w.add_embedding_length(s.hidden)
    w.add_feed_forward_length(s.ffn)
    w.add_head_count(s.heads)
    w.add_head_count_kv(s.kv_heads)
    w.add_key_length(s.head_dim)
    w.add_value_length(s.head_dim)
    w.add_layer_norm_rms_eps(s.eps)
    w.add_rope_freq_base(s.rope_base)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    control = {tok.token_to_id(t) for t in (END_OF_TEXT, IM_START, IM_END)}
    w.add_token_list([tok.id_to_token(i) for i in range(s.vocab)])
    w.add_token_types([gguf.TokenType.CONTROL if i in control else gguf.TokenType.NORMAL for i in range(s.vocab)])
    w.add_token_merges(merges)
    w.add_eos_token_id(tok.token_to_id(IM_END))
    w.add_pad_token_id(tok.token_to_id(END_OF_TEXT))
    w.add_add_bos_token(False)
    w.add_chat_template(CHAT_TEMPLATE)
    for theirs, ours in tensor_names(s.layers).items():
        data = state[ours].float().numpy()
        if data.ndim == 2:
            packed = gguf.quantize(data, gguf.GGMLQuantizationType.Q8_0)
            w.add_tensor(theirs, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            w.add_tensor(theirs, data.astype(np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("work", type=Path, help="the folder that train.py filled")
    p.add_argument("out", type=Path, help="the .gguf to write")
    a = p.parse_args()
    export(a.work, a.out)
