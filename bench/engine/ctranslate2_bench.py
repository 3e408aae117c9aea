"""Tokens per second of CTranslate2's Generator on a model directory. The rows are row.h's.

    ctranslate2_bench.py MODEL_DIRECTORY THREADS STEPS [ROW…]

One batch a row (CTranslate2 has no continuous batching); the sequences' tokens are counted by its callback. Its best
setting here: int8 with float32 activations, one worker of THREADS threads.
"""
import json
import pathlib
import sys
import time

import ctranslate2

import row


class Contest:
    def __init__(self, path, threads):
        self.generator = ctranslate2.Generator(path, device="cpu", compute_type="int8_float32", inter_threads=1,
                                               intra_threads=threads)
        vocabulary = pathlib.Path(path) / "vocabulary.json"
        self.names = json.loads(vocabulary.read_text())
        self.about = (f"CTranslate2 {ctranslate2.__version__}, {threads} threads, {self.generator.compute_type}, one "
                      f"batch; CPU supports {sorted(ctranslate2.get_supported_compute_types('cpu'))}")

    def measure(self, kind, count, turn, steps):
        sequences = count if kind == "decode" else 1
        length = 64 if kind == "decode" else count
        prompts = [[self.names[token] for token in row.prompt(turn, i, length)] for i in range(sequences)]
        times = []

        def note(step):
            times.append(time.perf_counter())
            return False

        tokens = 1 if kind == "prefill" else steps + 1
        start = time.perf_counter()
        self.generator.generate_batch(prompts, max_length=tokens, min_length=tokens, sampling_topk=1, beam_size=1,
                                      include_prompt_in_result=False, end_token=[], callback=note)
        if len(times) != tokens * sequences:
            sys.exit(f"{len(times)} tokens came, not {tokens * sequences}")
        first = times[sequences - 1]
        return length / (first - start) if kind == "prefill" else sequences * steps / (times[-1] - first)


if __name__ == "__main__":
    row.answer_rows(Contest)
