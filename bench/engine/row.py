"""row.h for the drivers that are written in Python: the prompts, and answering rows until they end."""
import json
import sys


def prompt(turn, sequence, tokens):
    """Token ids."""
    state, mask, ids = turn * 1_000_003 + sequence * 7919 + 1, (1 << 64) - 1, []
    for _ in range(tokens):
        state = (state * 6364136223846793005 + 1442695040888963407) & mask
        ids.append(1000 + (state >> 33) % 90_000)
    return ids


def answer_rows(make_contest):
    """Runs a driver's command line: MODEL_DIRECTORY THREADS STEPS [ROW…]. `make_contest(path, threads)` says what it is
    (`about`) and measures (`measure(kind, count, turn, steps)`, in tokens per second)."""
    path, threads, steps, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    contest = make_contest(path, threads)
    contest.measure("decode", 2, 0, 4)
    print(json.dumps({"ready": contest.about}), flush=True)
    for turn, row in enumerate(rows or (line.strip() for line in sys.stdin), 1):
        kind, count = row.split(":")
        rate = contest.measure(kind, int(count), turn, steps)
        print(json.dumps({"row": row, "tokens_per_second": round(rate, 2)}), flush=True)
