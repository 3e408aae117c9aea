#!/usr/bin/env python3
"""Prints the table of docs/formats/weights.md: what Q8_0 loses of weights that are already quantised.

Gaussian weights are quantised to each type and dequantised (a), and that again through Q8_0 (b). Printed are the
relative RMS errors of a to the weights, of b to a (what requantising adds), and of b to the weights.
"""
import gguf
import numpy as np

import k_quants

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]


def through(name, rows):
    kind = gguf.GGMLQuantizationType[name]
    packed = k_quants.quantise(name, rows) if name.endswith("_K") else gguf.quants.quantize(rows, kind)
    return gguf.quants.dequantize(packed, kind).astype(np.float32), packed.nbytes / rows.size


def error(found, expected):
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected ** 2)))


def main():
    rows = (np.random.default_rng(1).standard_normal((1024, 4096)) * 0.02).astype(np.float32)
    print("| type | bytes a weight | error of the type | added by Q8_0 | together |")
    print("|---|---|---|---|---|")
    for name in TYPES:
        stored, size = through(name, rows)
        again, _ = through("Q8_0", stored)
        print(f"| {name} | {size:.4f} | {error(stored, rows):.2%} | {error(again, stored):.2%} | "
              f"{error(again, rows):.2%} |")


main()
