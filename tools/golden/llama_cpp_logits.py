#!/usr/bin/env python3
"""What llama.cpp answers for a GGUF and given tokens: the largest logits after the last token.

    llama_cpp_logits.py MODEL.gguf TOKENS [--top 10] [--out FILE.json] [--all] [--kv f16] [--threads 2]

TOKENS is a file of token ids, separated by white space or commas (a JSON list too), or an object with "tokens". The
file --out gets all logits: {"tokens": …, "logits": […]}, with --all a list after each token. Needs PyPI's
llama-cpp-python and numpy.
"""
import argparse
import ctypes
import json
import pathlib
import re

import llama_cpp
import numpy as np

CACHE_TYPES = {"f32": 0, "f16": 1}


def read_tokens(path):
    text = pathlib.Path(path).read_text()
    if text.lstrip().startswith("{"):
        return json.loads(text)["tokens"]
    return [int(word) for word in re.findall(r"\d+", text)]


def open_context(options, count):
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(options.model.encode(), model_params)
    if not model:
        raise SystemExit(f"llama.cpp does not load {options.model}")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = max(64, count)
    params.n_batch = params.n_ubatch = params.n_ctx
    params.n_threads = params.n_threads_batch = options.threads
    params.type_k = params.type_v = CACHE_TYPES[options.kv]
    if hasattr(params, "flash_attn_type"):
        params.flash_attn_type = 0
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        raise SystemExit("llama.cpp makes no context")
    return model, context


def logits_after(model, context, tokens):
    """[tokens, vocabulary]"""
    width = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i] = token
        batch.pos[i] = i
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = 1
    if llama_cpp.llama_decode(context, batch) != 0:
        raise SystemExit("llama.cpp does not decode these tokens")
    rows = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, i), (width,)).copy()
            for i in range(len(tokens))]
    llama_cpp.llama_batch_free(batch)
    return np.stack(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("tokens")
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--out")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kv", choices=CACHE_TYPES, default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    if not options.verbose:
        llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    tokens = read_tokens(options.tokens)
    model, context = open_context(options, len(tokens))
    logits = logits_after(model, context, tokens)
    for token in np.argsort(-logits[-1])[:options.top]:
        print(f"{token:8d} {logits[-1][token]:.6f}")
    if options.out:
        rows = [[round(float(x), 6) for x in row] for row in (logits if options.all else logits[-1:])]
        answer = {"tokens": tokens, "logits": rows if options.all else rows[0]}
        pathlib.Path(options.out).write_text(json.dumps(answer) + "\n")


main()
