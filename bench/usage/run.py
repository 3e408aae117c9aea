#!/usr/bin/env python3
"""./dev bench usage: a month's query of the usage API and of costs, and the FOCUS export of the month, on a ledger
with a million requests of that month. The queries read sums by the day, so their time goes with the keys, offerings
and tiers that were used each day, not with the requests; the export reads the journal.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / os.environ.get("FEILUN_BUILD", "build/release") / "bench/usage_bench"
FIGURES = {"db_mb": "ledger.db, MB", "hour_rows": "sums by the hour", "first_ms": "first query after a start, ms", "usage_ms": "usage, ms",
           "usage_by_model_ms": "usage by project and model, ms", "costs_ms": "costs by line, ms",
           "focus_rows": "FOCUS rows", "focus_ms": "FOCUS export, ms", "focus_more_mb": "memory it took, MB"}

GOAL_MS = ["first_ms", "usage_ms", "usage_by_model_ms", "costs_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    results = {}
    for keys in options.keys:
        with tempfile.TemporaryDirectory(prefix="feilun-usage-") as directory:
            done = subprocess.run([PROGRAM, directory, str(options.requests), str(keys)], check=True,
                                  stdout=subprocess.PIPE, text=True)
        results[keys] = json.loads(done.stdout)
        print(f"==> {keys} keys: {results[keys]}", file=sys.stderr, flush=True)
    print(f"{options.requests:,} requests in a month")
    print("| figure | " + " | ".join(f"{keys} keys" for keys in results) + " |")
    print("|---|" + "---|" * len(results))
    for name, figure in FIGURES.items():
        values = [each[name] for each in results.values()]
        print(f"| {figure} | " + " | ".join(f"{value:,.{int(value < 10)}f}" for value in values) + " |")
    slow = max(each[name] for each in results.values() for name in GOAL_MS)
    size = max(each["db_mb"] for each in results.values()) * 1e6 / options.requests
    print(f"\nslowest query {slow:.0f} ms (goal 200); {size:.0f} bytes of ledger.db a request (goal 150)")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    if slow > 200 or size > 150:
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
