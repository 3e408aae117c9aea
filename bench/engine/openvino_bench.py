"""Tokens per second of OpenVINO GenAI's continuous batching on a model directory. The rows are row.h's.

    openvino_bench.py MODEL_DIRECTORY THREADS STEPS [ROW…]

A Python loop calls step(), in which the plan, the forward pass and greedy sampling of all sequences run in C++.
Its best setting here: one stream of THREADS threads with the latency hint, KV cache in u8 (its default), activations
quantised in groups of 128 (the default of 32 takes a third more processor time in prefill), prompts of up to 512 tokens
a step. $OPENVINO_BENCH may try others, as in '{"KV_CACHE_PRECISION": "bf16"}'.
"""
import json
import os
import pathlib
import sys
import time

import numpy
import openvino
import openvino_genai

import row

PROPERTIES = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "ENABLE_HYPER_THREADING": False,
              "DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"}
CONTEXT = 4096


def instruction_sets():
    """Of the machine: oneDNN, which OpenVINO carries, uses the best of them at run time."""
    flags = set(pathlib.Path("/proc/cpuinfo").read_text().split())
    return "oneDNN finds " + " ".join(name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
                                      if name in flags)


def tokens_waiting(handle):
    made = 0
    while handle.can_read():
        made += sum(len(output.generated_ids) for output in handle.read().values())
    return made


class Contest:
    def __init__(self, path, threads):
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = 2
        scheduler.max_num_batched_tokens = 512
        scheduler.max_num_seqs = 64
        scheduler.dynamic_split_fuse = True
        scheduler.enable_prefix_caching = False
        properties = {**PROPERTIES, **json.loads(os.environ.get("OPENVINO_BENCH", "{}"))}
        shown = ", ".join(f"{name} {value}" for name, value in properties.items())
        self.about = (f"OpenVINO GenAI {openvino_genai.__version__}, {pathlib.Path(path).name}, {threads} threads, "
                      f"{shown}, continuous batching, 512 tokens a step, {instruction_sets()}")
        self.pipeline = openvino_genai.ContinuousBatchingPipeline(
            path, scheduler, "CPU", {**properties, "INFERENCE_NUM_THREADS": threads})
        self.requests = 0

    def submit(self, ids, tokens):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = tokens
        config.ignore_eos = True
        config.do_sample = False
        self.requests += 1
        return self.pipeline.add_request(self.requests, ids, config)

    def finish(self, handles):
        for handle in handles:
            handle.cancel()
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()

    def measure(self, kind, count, turn, steps):
        sequences = count if kind == "decode" else 1
        length = 64 if kind == "decode" else count
        ids = [row.prompt(turn, i, length) for i in range(sequences)]
        prompts = [openvino.Tensor(numpy.array([one], dtype=numpy.int64)) for one in ids]
        start = time.perf_counter()
        handles = [self.submit(one, 1 if kind == "prefill" else CONTEXT - length) for one in prompts]
        while not all(handle.can_read() for handle in handles):
            self.pipeline.step()
        started = time.perf_counter()
        if kind == "prefill":
            self.finish(handles)
            return length / (started - start)
        # From here on every sequence has its first token, and each step gives each sequence one more.
        for _ in range(steps):
            self.pipeline.step()
        seconds = time.perf_counter() - started
        made = min(map(tokens_waiting, handles))
        if made <= steps:
            sys.exit(f"{steps} steps gave a sequence {made} tokens")
        self.finish(handles)
        return sequences * steps / seconds


if __name__ == "__main__":
    row.answer_rows(Contest)
