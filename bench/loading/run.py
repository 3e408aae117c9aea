"""./dev bench loading: how long feilun takes from its start until a model is ready, against reading the file alone.

Before each measurement the file's pages are dropped from the system's cache; with --warm they stay. Reading is one
thread, a megabyte at a time. Both take turns.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "engine")]
import contestants  # noqa: E402
import table  # noqa: E402

PIECE = 1 << 20


def drop_from_cache(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds_to_read(path):
    begin = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        piece = bytearray(PIECE)
        while file.readinto(piece):
            pass
    return time.perf_counter() - begin


def seconds_to_ready(path):
    """Of a server with a data directory that it has used before: making its keys is not part of loading."""
    with tempfile.TemporaryDirectory() as data:
        subprocess.run([contestants.RELEASE / "feilun", "key", "create", "--data", data], check=True, capture_output=True)
        begin = time.perf_counter()
        server = subprocess.Popen([contestants.RELEASE / "feilun", "serve", "--data", data, "--model", f"m={path}",
                                   "--listen", "127.0.0.1:0", "--ctx", "4096"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            for line in server.stdout:  # asking it would take a share of the two cores
                if " is ready on " in line:
                    return time.perf_counter() - begin
            sys.exit("feilun did not become ready")
        finally:
            server.terminate()
            server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=["q8_0", "q4_0"], choices=["q8_0", "q4_0"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", action="store_true", help="leave the file in the system's cache")
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    figures = table.Rounds()
    for number in range(options.rounds):
        for kind in options.types:
            path = contestants.gguf_model("qwen2.5-0.5b", kind)
            turns = [("feilun", seconds_to_ready), ("reading alone", seconds_to_read)]
            for name, measure in turns if number % 2 else reversed(turns):
                if not options.warm:
                    drop_from_cache(path)
                figures.add(name, f"{kind}, {path.stat().st_size >> 20} MiB, ms", 1000 * measure(path))
    table.print_all(figures)
    table.write_all(figures, options.json)


if __name__ == "__main__":
    main()
