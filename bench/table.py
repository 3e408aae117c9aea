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
