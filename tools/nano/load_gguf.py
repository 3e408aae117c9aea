"""Reads feilun-nano back from its GGUF alone, as any engine would: weights, tokenizer, shape.

The matrices are dequantised to F32, so what runs here is exactly what users get.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from export_gguf import tensor_names
from model import Nano, Shape
from tokenizer import QWEN2_WORDS, Chat


def load(path: Path) -> tuple[Nano, Chat, dict]:
    """The network, its chat tokenizer, and all metadata."""
    reader = gguf.GGUFReader(str(path))
    meta = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    shape = Shape(
        vocab=len(meta["tokenizer.ggml.tokens"]), hidden=meta["qwen3.embedding_length"], layers=meta["qwen3.block_count"],
        heads=meta["qwen3.attention.head_count"], kv_heads=meta["qwen3.attention.head_count_kv"], head_dim=meta["qwen3.attention.key_length"],
        ffn=meta["qwen3.feed_forward_length"], context=meta["qwen3.context_length"], rope_base=meta["qwen3.rope.freq_base"],
        eps=meta["qwen3.attention.layer_norm_rms_epsilon"],
    )
    tensors = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
    model = Nano(shape)
    model.load_state_dict({ours: torch.from_numpy(tensors[theirs].copy()) for theirs, ours in tensor_names(shape.layers).items()})
    return model.eval(), Chat(tokenizer_from(meta)), meta


def tokenizer_from(meta: dict) -> Tokenizer:
    tokens = meta["tokenizer.ggml.tokens"]
    merges = [tuple(m.split(" ")) for m in meta["tokenizer.ggml.merges"]]
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2_WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tok.decoder = decoders.ByteLevel()
    control = [t for t, kind in zip(tokens, meta["tokenizer.ggml.token_type"]) if kind == gguf.TokenType.CONTROL]
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    return tok
