#!/usr/bin/env python3
"""Prints what quantising to each type loses, and what Q8_0 loses of Q6_K: figures of docs/formats/weights.md.

Gaussian weights are quantised and dequantised. Printed are relative RMS errors.
"""
import gguf
import numpy as np

import k_quants

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]


def rounded(name, rows):
    blocks = k_quants.packed(name, rows)
    return gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name]).astype(np.float32)


def error(exact, found):
    return 100 * float(np.sqrt(np.square(found - exact).mean() / np.square(exact).mean()))


def main():
    weights = np.random.default_rng(1).standard_normal((512, 4096)).astype(np.float32)
    for name in TYPES:
        print(f"{name}: {error(weights, rounded(name, weights)):.2f} %")
    six_bits = rounded("Q6_K", weights)
    print(f"Q6_K as Q8_0: {error(six_bits, rounded('Q8_0', six_bits)):.2f} %")


main()
