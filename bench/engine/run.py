#!/usr/bin/env python3
"""./dev bench engine: tokens per second of feilun and its peers with the same weights, taking turns row by row.

A row runs alone with --rows decode:16 --types q8_0 --rounds 1. $FEILUN_BUILD names another build directory than
build/release.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import table  # noqa: E402
from contestants import RELEASE, Contestant, command_of, say  # noqa: E402
from shapes import SHAPES  # noqa: E402

ROWS = ["prefill:512", "prefill:2048", "stream:64", "stream:1024", "decode:8", "decode:16", "decode:32"]
QUICK_ROWS = ["prefill:512", "stream:64", "decode:8"]
PEAK_ROW = "prefill:512"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="qwen2.5-0.5b")
    parser.add_argument("--types", "--type", nargs="+", default=["q8_0", "q4_0"], choices=["q8_0", "q4_0"])
    parser.add_argument("--peers", default="llama.cpp,openvino,openvino-g32",
                        help="llama.cpp, openvino, openvino-g32 (beside q4_0 alone), ctranslate2 and feilun-w8a8 "
                             "(beside q8_0 alone)")
    parser.add_argument("--rows", nargs="+", default=ROWS, help="prefill:N, stream:CONTEXT, decode:SEQUENCES")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=32, help="tokens a sequence in the rows stream and decode")
    parser.add_argument("--quick", action="store_true", help="one round of three rows")
    parser.add_argument("--json", help="write the figures to this file, after each round again")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.rows, options.steps = 1, QUICK_ROWS, 12
    return options


def start_all(options, type_name):
    started = []
    for name in ["feilun", *filter(None, options.peers.split(","))]:
        command = command_of(name, options.shape, type_name)
        if command is None:
            continue
        try:
            started.append(Contestant(name, command, options.threads, options.steps))
            say(f"{name}: {started[-1].about}")
        except (RuntimeError, json.JSONDecodeError) as error:
            say(f"{name} does not run: {error}")
    return started


def vnni_peak(threads):
    done = subprocess.run([RELEASE / "bench/vnni_peak", str(threads)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["operations_per_second"]


def one_round(number, options, type_name, contestants, figures, peaks):
    for place, row in enumerate(options.rows):
        # Whoever comes first meets the machine as the row before left it: that is someone else each time.
        turn = (number + place) % len(contestants)
        rates = {}
        for contestant in contestants[turn:] + contestants[:turn]:
            try:
                rates[contestant.name] = contestant.ask(row)
            except (RuntimeError, BrokenPipeError) as error:
                say(f"{contestant.name} is out from {type_name} {row} on: {error}")
                contestants.remove(contestant)
        for contestant in contestants:
            figures.add(contestant.name, f"{type_name} {row.replace(':', ' ')}", rates[contestant.name])
        shown = "  ".join(f"{contestant.name} {rates[contestant.name]:.1f}" for contestant in contestants)
        say(f"round {number} {type_name} {row}: {shown}")
        if row == PEAK_ROW:
            peaks.append(vnni_peak(options.threads))


def shares_of_peak(figures, options, peak):
    """The whole prefill against the best that the machine did: what disturbs a peak can only lower it."""
    shares = table.Rounds()
    operations = SHAPES[options.shape].prefill_operations(512) / 512
    for type_name in options.types:
        for name, rates in figures.values.get(f"{type_name} prefill 512", {}).items():
            for rate in rates:
                shares.add(name, f"{type_name} prefill 512, % of VNNI peak", 100 * rate * operations / peak)
    return shares


def main():
    options = arguments()
    figures, about, peaks = table.Rounds(), {}, []
    for type_name in options.types:
        contestants = start_all(options, type_name)
        about |= {contestant.name: contestant.about for contestant in contestants}
        for number in range(1, options.rounds + 1):
            one_round(number, options, type_name, contestants, figures, peaks)
            table.write_all(figures, options.json, shape=options.shape, about=about, vnni_peaks=peaks)
        for contestant in contestants:
            contestant.close()
    print(f"{options.shape}, {options.threads} threads, {options.rounds} interleaved rounds, medians, tokens/s")
    for name, text in about.items():
        print(f"- {name}: {text}")
    if any(peaks):
        print(f"- VNNI peak: {max(peaks) / 1e9:.0f}·10⁹ operations/s, the best of {len(peaks)} measurements")
        figures.values |= shares_of_peak(figures, options, max(peaks)).values
        table.write_all(figures, options.json, shape=options.shape, about=about, vnni_peaks=peaks)
    print()
    table.print_all(figures)


if __name__ == "__main__":
    main()
