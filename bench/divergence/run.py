"""KL divergence from exact answers, for each type that weights are stored in: feilun's and llama.cpp's, for one file.

A llama of random weights is written once a type. Exact is what feilun answers with the stored weights as F32, which
agrees with transformers to 10⁻⁵ of the largest logit. The final norm is scaled so that the median top probability is a
half: where one token has all the probability, or all have the same, wrong logits look right.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "golden"))
import k_quants

LAYERS, HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 4, 512, 1536, 8, 2, 64, 4096
# The second column is the type of half of the ffn_down and attn_v matrices and of the output, as in Q4_K_M.
TYPES = {"Q8_0": "Q8_0", "Q4_0": "Q4_0", "Q4_1": "Q4_1", "Q5_0": "Q5_0", "Q5_1": "Q5_1", "Q4_K": "Q4_K", "Q5_K": "Q5_K",
         "Q6_K": "Q6_K", "Q4_K_M": "Q6_K"}


def matrices():
    """Name, rows, columns; columns are the input."""
    yield "token_embd", VOCABULARY, HIDDEN
    yield "output", VOCABULARY, HIDDEN
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_q", HEADS * HEAD_DIM, HIDDEN
        yield f"blk.{layer}.attn_k", KV_HEADS * HEAD_DIM, HIDDEN
        yield f"blk.{layer}.attn_v", KV_HEADS * HEAD_DIM, HIDDEN
        yield f"blk.{layer}.attn_output", HIDDEN, HEADS * HEAD_DIM
        yield f"blk.{layer}.ffn_gate", FFN, HIDDEN
        yield f"blk.{layer}.ffn_up", FFN, HIDDEN
        yield f"blk.{layer}.ffn_down", HIDDEN, FFN


def stored_type(kind, name):
    heavier = name == "output" or name.startswith(("blk.0", "blk.1")) and name.endswith(("ffn_down", "attn_v"))
    return TYPES[kind] if heavier else kind.removesuffix("_M")


def write_head(writer):
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>"] + [f"▁t{i}" for i in range(3, VOCABULARY)])
    writer.add_token_scores([-float(i) for i in range(VOCABULARY)])
    writer.add_token_types([2, 3, 3] + [1] * (VOCABULARY - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def write_model(path, kind, seed, norm):
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    write_head(writer)
    for name, rows, columns in matrices():
        spread = 1.0 if name == "token_embd" else 1 / math.sqrt(columns)
        if name.endswith(("attn_output", "ffn_down")):
            spread /= math.sqrt(2 * LAYERS)
        values = (rng.standard_normal((rows, columns)) * spread).astype(np.float32)
        stored = stored_type(kind, name)
        blocks = k_quants.packed(stored, values)
        writer.add_tensor(name + ".weight", blocks, raw_dtype=gguf.GGMLQuantizationType[stored])
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", (1 + 0.2 * rng.standard_normal(HIDDEN)).astype(np.float32))
    writer.add_tensor("output_norm.weight", (norm * (1 + 0.2 * rng.standard_normal(HIDDEN))).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def answers(command, out, tokens):
    subprocess.run([*map(str, command), str(out), *map(str, tokens)], check=True)
    return np.fromfile(out, np.float32).reshape(len(tokens), VOCABULARY).astype(np.float64)


def log_softmax(logits):
    top = logits.max(axis=1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))


def scale_for_half(logits):
    low, high = 0.01, 100.0
    for _ in range(40):
        factor = math.sqrt(low * high)
        median = np.median(np.exp(log_softmax(logits * factor)).max(axis=1))
        low, high = (factor, high) if median < 0.5 else (low, factor)
    return factor


def divergence(exact, found):
    log_p, log_q = log_softmax(exact), log_softmax(found)
    return float((np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean())


def compare(kind, options, folder, seed):
    tokens = np.random.default_rng(seed + 1).integers(3, VOCABULARY, options.tokens)
    model, out = folder / "model.gguf", folder / "logits.bin"
    write_model(model, kind, seed, 1.0)
    norm = scale_for_half(answers([options.feilun, model, "f32"], out, tokens))
    write_model(model, kind, seed, norm)
    exact = answers([options.feilun, model, "f32"], out, tokens)
    ours = divergence(exact, answers([options.feilun, model, "stored"], out, tokens))
    theirs = divergence(exact, answers([options.llama_cpp, model], out, tokens))
    return ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feilun", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--llama-cpp", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--types", nargs="+", default=list(TYPES), choices=TYPES)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="models a type; the figures are means over them")
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = []
    print("| weights | llama.cpp | feilun | ratio |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.types:
            pairs = [compare(kind, options, pathlib.Path(folder), 10 * seed) for seed in range(options.seeds)]
            ours, theirs = np.mean(pairs, axis=0)
            rows.append({"type": kind, "feilun": ours, "llama.cpp": theirs})
            print(f"| {kind} | {theirs:.2e} | {ours:.2e} | {ours / theirs:.2f} |", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


main()
