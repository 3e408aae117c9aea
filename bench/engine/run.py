#!/usr/bin/env python3
"""./dev bench engine: tokens per second of feilun and of llama.cpp on the same GGUF files, interleaved."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
import table  # noqa: E402

VOCABULARY = pathlib.Path(os.environ.get("FEILUN_TESTDATA", ROOT / "../shared/testdata")) / "tokenizers/qwen2"
BUILD = ROOT / "build/bench/engine"


def models(types):
    for name in types:
        path = BUILD / f"qwen3-0.6b-shape-{name}.gguf"
        if not path.exists():
            print(f"writing {path}", file=sys.stderr)
            subprocess.run([sys.executable, HERE / "make_model.py", name, VOCABULARY, path], check=True)
        yield name, path


def contestants(peer_name):
    yield "feilun", [ROOT / "build/release/bench/engine_bench"]
    yield peer_name, [BUILD / "node", BUILD / "llama_cpp.mjs"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=33)
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--types", nargs="+", default=["q8_0", "q4_0"])
    options = parser.parse_args()
    if not VOCABULARY.exists():
        sys.exit(f"the benchmark needs Qwen2's vocabulary in {VOCABULARY}")
    version = json.loads((BUILD / "node_modules/node-llama-cpp/llama/llama.cpp.info.json").read_text())["tag"]
    peer_name = f"llama.cpp {version}"

    rounds = table.Rounds()
    arguments = [options.threads, options.prefill, options.decode, *options.sequences]
    for round_number in range(1, options.rounds + 1):
        for type_name, path in models(options.types):
            for contestant, command in contestants(peer_name):
                print(f"round {round_number}: {contestant} {type_name}", file=sys.stderr)
                output = subprocess.run([*map(str, command), path, *map(str, arguments)], check=True,
                                        capture_output=True, text=True, cwd=BUILD).stdout
                for line in output.splitlines():
                    row = json.loads(line)
                    rounds.add(contestant, f"{type_name} {row['figure']}", row["tokens_per_second"])
    print(f"{options.threads} threads, {options.rounds} interleaved rounds, medians; {peer_name} with flash attention, "
          "batch 512, the CPU library its loader picks for this machine")
    table.report(rounds.rows("tokens/s", peer_name), options.json)


if __name__ == "__main__":
    main()
