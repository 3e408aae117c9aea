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


def prompt(turn, sequence, tokens, names):
    """The prompts of row.h."""
    state, mask, out = turn * 1_000_003 + sequence * 7919 + 1, (1 << 64) - 1, []
    for _ in range(tokens):
        state = (state * 6364136223846793005 + 1442695040888963407) & mask
        out.append(names[1000 + (state >> 33) % 90_000])
    return out


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
        prompts = [prompt(turn, i, length, self.names) for i in range(sequences)]
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


def main():
    path, threads, steps, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    contest = Contest(path, threads)
    contest.measure("decode", 2, 0, 4)
    print(json.dumps({"ready": contest.about}), flush=True)
    for turn, row in enumerate(rows or (line.strip() for line in sys.stdin), 1):
        kind, count = row.split(":")
        rate = contest.measure(kind, int(count), turn, steps)
        print(json.dumps({"row": row, "tokens_per_second": round(rate, 2)}), flush=True)


if __name__ == "__main__":
    main()
