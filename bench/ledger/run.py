#!/usr/bin/env python3
"""./dev bench ledger: pairs of hold and settle a second, durable before they are answered, beside the same writes
made by statements alone with the same group commit; by clients who each wait for their answers.

The statements alone write the very bytes, in the very groups, that the ledger wrote for as many clients. Latency is
of a hold, from the asking to the answer; beside it stands how long one of the groups takes to write alone.
"""
import argparse
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / os.environ.get("FEILUN_BUILD", "build/release")
PROGRAM = BUILD / "bench/ledger_bench"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
sys.path.insert(0, str(HERE.parent))
import table  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 100, 500])
    parser.add_argument("--pairs", type=int, default=40_000, help="for each figure (a tenth with one client)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, nargs="*", default=[10_000, 100_000, 1_000_000],
                        help="pairs journalled before; 10000000 takes some minutes and 2 GB")
    parser.add_argument("--instructions", type=int, nargs="*", default=[], metavar="BEFORE",
                        help="instructions of the writer for a pair of 500 clients, by valgrind, when so many requests "
                        "were seen before; 10000000 takes some minutes")
    parser.add_argument("--stores", nargs="+", default=["sqlite", "postgres"], choices=["sqlite", "postgres"])
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="feilun-ledger-", dir=os.environ.get("TMPDIR"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def postgres():
    """A server of its own, with the defaults of Debian's, on a Unix socket."""
    with directory() as path:
        user = []
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam("postgres").pw_uid, -1)
            user = ["runuser", "-u", "postgres", "--"]
        subprocess.run([*user, POSTGRES / "initdb", "-D", f"{path}/data", "-A", "trust", "-U", "feilun"], check=True,
                       stdout=subprocess.DEVNULL)
        control = [*user, POSTGRES / "pg_ctl", "-D", f"{path}/data", "-w"]
        subprocess.run([*control, "-o", f"-k {path} -c listen_addresses=", "-l", f"{path}/log", "start"], check=True,
                       stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql:///postgres?user=feilun&host={path}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def place(store):
    """An empty database, as ledger_bench names it."""
    with (directory() if store == "sqlite" else postgres()) as where:
        yield where


def measured(what, store, *numbers):
    with place(store) as where:
        done = subprocess.run([PROGRAM, what, where, *map(str, numbers)], check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    print(f"==> {store} {what} {numbers}: {result}", file=sys.stderr, flush=True)
    return result


def instructions(before, pairs=10_000):
    """Thousands a pair, from taking a group to its commit."""
    with directory() as where:
        subprocess.run([PROGRAM, "seen", where, "0", str(before)], check=True, stdout=subprocess.DEVNULL)
        # Debian's valgrind knows clang's names, but not all it writes for debuggers.
        plain = f"{where}/ledger_bench"
        subprocess.run(["objcopy", "--strip-debug", PROGRAM, plain], check=True)
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                               "--toggle-collect=feilun::ledger::Writer::commit_group*", plain, "ours", where, "500",
                               str(pairs)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    return int(counted[1]) / pairs / 1000


def main():
    options = arguments()
    if "postgres" in options.stores and not POSTGRES.exists():
        sys.exit("PostgreSQL 15 is not installed: ./dev setup --tests, or --stores sqlite")
    figures = table.Rounds()
    for _ in range(options.rounds):
        for store in options.stores:
            for clients in options.clients:
                pairs = options.pairs if clients > 1 else options.pairs // 10
                ours = measured("ours", store, clients, pairs)
                raw = measured("raw", store, clients, pairs)
                name = f"{store}, {clients} clients"
                alone = "statements alone"
                figures.add("feilun", f"{name}, pairs/s", ours["pairs_per_second"])
                figures.add(alone, f"{name}, pairs/s", raw["pairs_per_second"])
                figures.add("feilun", f"{name}, processor µs a pair", ours["cpu_us"])
                figures.add(alone, f"{name}, processor µs a pair", raw["cpu_us"])
                figures.add("feilun", f"{name}, hold median, µs", ours["hold_median_us"])
                figures.add(alone, f"{name}, hold median, µs", raw["commit_median_us"])
                figures.add("feilun", f"{name}, hold p99, µs", ours["hold_p99_us"])
                figures.add(alone, f"{name}, hold p99, µs", raw["commit_p99_us"])
        if options.growth:
            grown = measured("growth", "sqlite", 100, options.pairs, *sorted(options.growth))
            for before, spent in zip(sorted(options.growth), grown["cpu_us"]):
                figures.add("feilun", f"sqlite, 100 clients, {before:,} requests before, processor µs a pair", spent)
            for before, size in zip(sorted(options.growth), grown["bytes"]):
                figures.add("feilun", f"ledger.db after {before + options.pairs:,} requests, MB", size / 1e6)
    for before in options.instructions:
        figures.add("feilun", f"{before:,} requests before, thousand instructions a pair", instructions(before))
    print(f"{options.rounds} interleaved rounds, medians")
    table.print_all(figures)
    table.write_all(figures, options.json)


if __name__ == "__main__":
    main()
