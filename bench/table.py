"""What every benchmark prints: medians over interleaved rounds, and ratios."""
import json
import statistics


class Rounds:
    """Collects figures of several contestants over several rounds."""

    def __init__(self):
        self.values = {}  # figure → contestant → list

    def add(self, contestant, figure, value):
        self.values.setdefault(figure, {}).setdefault(contestant, []).append(value)

    def rows(self, unit, peer):
        for figure, by_contestant in self.values.items():
            ours = statistics.median(by_contestant["feilun"])
            theirs = statistics.median(by_contestant[peer])
            yield {"figure": figure, "unit": unit, "ours": ours, "peer": theirs, "peer_name": peer,
                   "ratio": round(ours / theirs, 3)}


def report(rows, json_path=None):
    rows = list(rows)
    print(f"| figure | unit | feilun | {rows[0]['peer_name']} | ratio |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['figure']} | {row['unit']} | {row['ours']:.1f} | {row['peer']:.1f} | {row['ratio']:.2f} |")
    if json_path:
        with open(json_path, "w") as file:
            json.dump(rows, file, indent=1)


def medians(figures):
    """figure → contestant → median over the rounds so far."""
    return {figure: {name: statistics.median(values) for name, values in by_contestant.items()}
            for figure, by_contestant in figures.values.items()}


def print_all(figures):
    """All contestants side by side: feilun first, each peer followed by feilun's ratio to it."""
    rows = medians(figures)
    peers = list(dict.fromkeys(name for row in rows.values() for name in row if name != "feilun"))
    print("| figure | feilun | " + " | ".join(f"{peer} | ×" for peer in peers) + " |")
    print("|---|---|" + "---|---|" * len(peers))
    for figure, row in rows.items():
        cells = [figure, f"{row['feilun']:.1f}"]
        for peer in peers:
            ratio = f"{row['feilun'] / row[peer]:.2f}" if row.get(peer) else "∞"
            cells += [f"{row[peer]:.1f}", ratio] if peer in row else ["", ""]
        print("| " + " | ".join(cells) + " |")


def write_all(figures, path, **facts):
    """Everything measured so far, so that a run that is cut keeps its rows."""
    if path:
        with open(path, "w") as file:
            json.dump({**facts, "medians": medians(figures), "rounds": figures.values}, file, indent=1,
                      ensure_ascii=False)
