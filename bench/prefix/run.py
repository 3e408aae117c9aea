#!/usr/bin/env python3
"""./dev bench prefix: how many prompt tokens the prefix cache finds on real traffic, by policy and size.

The traces go through the scheduler's own cache in virtual time (see prefix_bench.cc). A size is the share of the
trace's unique blocks that fit. The figures depend on nothing but the traces: no clock, no machine. The run fails when
LRU differs from the simulation that the policy was chosen by, or when Gittins falls short of what is promised."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TESTDATA = pathlib.Path(os.environ.get("FEILUN_TESTDATA", ROOT / "../shared/testdata")) / "traces"
BUILD = pathlib.Path(os.environ.get("FEILUN_BUILD", ROOT / "build/release"))
ENGINE_BLOCK = 16
# Name → file, format, and what an independent simulation says LRU finds, percent by size.
TRACES = {
    "conversation": (TESTDATA / "mooncake/conversation_trace.jsonl", "mooncake", {1: 5.3, 2: 7.8, 5: 19.8, 10: 28.2, 20: 35.1}),
    "synthetic": (TESTDATA / "mooncake/synthetic_trace.jsonl", "mooncake", {2: 7.6, 5: 15.3, 10: 25.4, 20: 39.0}),
    "rtp-llm": (TESTDATA / "rtp-llm/trace_30min.jsonl", "rtp", {1: 7.9, 2: 11.0, 5: 14.3, 10: 16.1, 20: 18.1}),
}
LRU_TOLERANCE = 0.2  # points
LOSS_MOST = 0.3  # points that Gittins may lie below LRU
SAVED_LEAST = ("conversation", 2, 5.0)  # percent of LRU's prefill tokens in the second half


def replay(program, name, block_tokens, size):
    path, kind, _ = TRACES[name]
    output = subprocess.run([program, path, kind, str(block_tokens), f"{size:g}"], check=True, capture_output=True,
                            text=True).stdout
    by_policy = {row["policy"]: row for row in map(json.loads, output.splitlines())}
    lru, gittins = by_policy["lru"], by_policy["gittins"]

    def later_prefill(row):
        return row["later_tokens"] - row["later_cached"]

    return {"trace": name, "block_tokens": block_tokens, "size": size,
            "lru": 100 * lru["cached"] / lru["tokens"], "gittins": 100 * gittins["cached"] / gittins["tokens"],
            "prefill_saved_later": 100 * (1 - later_prefill(gittins) / later_prefill(lru)),
            "microseconds_a_request": {policy: 1e6 * row["seconds"] / row["requests"] for policy, row in by_policy.items()}}


def complaints(row):
    expected = TRACES[row["trace"]][2].get(row["size"])
    where = f"{row['trace']} at {row['size']:g}%"
    if expected is not None and abs(row["lru"] - expected) > LRU_TOLERANCE:
        yield f"{where}: LRU finds {row['lru']:.2f}%, the simulation says {expected}%"
    if row["gittins"] < row["lru"] - LOSS_MOST:
        yield f"{where}: Gittins is {row['lru'] - row['gittins']:.2f} points below LRU"
    trace, size, least = SAVED_LEAST
    if (row["trace"], row["size"]) == (trace, size) and row["prefill_saved_later"] < least:
        yield f"{where}: Gittins saves {row['prefill_saved_later']:.1f}% of the prefill, less than {least:g}%"


def print_rows(rows):
    print("| trace | size | LRU | Gittins | points | prefill saved, 2nd half |\n|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['trace']} | {row['size']:g}% | {row['lru']:.2f} | {row['gittins']:.2f} | "
              f"{row['gittins'] - row['lru']:+.2f} | {row['prefill_saved_later']:+.1f}% |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--sizes", default="0.5,1,2,3,5,10,20,50", help="percent of the trace's unique blocks")
    parser.add_argument("--engine-sizes", default="2,10", help=f"the same for blocks of {ENGINE_BLOCK} tokens (slower)")
    parser.add_argument("--traces", default=",".join(TRACES))
    parser.add_argument("--program", default=BUILD / "bench/prefix_bench")
    options = parser.parse_args()
    names = options.traces.split(",")
    for name in names:
        if not TRACES[name][0].exists():
            sys.exit(f"the benchmark needs {TRACES[name][0]}")

    found = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for block_tokens, sizes in ((0, options.sizes), (ENGINE_BLOCK, options.engine_sizes)):
            jobs = [(options.program, name, block_tokens, float(size)) for name in names for size in sizes.split(",") if size]
            if not jobs:
                continue
            rows = list(pool.map(lambda job: replay(*job), jobs))
            print(f"\nprompt tokens found in the cache, percent; blocks of {block_tokens or 'the traces (512 and 1024)'} tokens\n")
            print_rows(rows)
            found += rows
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1))
    failures = [line for row in found for line in complaints(row)]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
