#!/usr/bin/env python3
"""Prints the table of docs/formats/weights.md: what Q8_0 loses of weights that are already quantised.

Gaussian weights are quantised to each type and dequantised (a), and that again through Q8_0 (b), with the scales that
src/compute/row_converter.cc chooses. Printed are the relative RMS errors of a to the weights, of b to a (what
requantising adds; in brackets, what it would add with the usual scales), and of b to the weights.
"""
import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES

import k_quants
from k_quants import safe_divide

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]


def packed(name, rows):
    kind = gguf.GGMLQuantizationType[name]
    return k_quants.quantise(name, rows) if name.endswith("_K") else gguf.quants.quantize(rows, kind)


def unpacked(name, blocks):
    return gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name]).astype(np.float32)


def steps(name, blocks):
    """The distance of the grid on which the weights of each group of 32 lie; 0 without one."""
    blocks = blocks.reshape(-1, GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]][1])
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    if name in ("Q4_1", "Q5_0", "Q5_1"):
        return np.abs(scale)
    if name in ("Q4_K", "Q5_K"):
        six, _ = gguf.quants.Q4_K.get_scale_min(blocks[:, 4:16].copy())
        return (scale * six).astype(np.float32).reshape(-1, 1)
    return np.zeros((1, 1), np.float32)


def requantised(rows, step):
    """Through Q8_0, where a step of the grid is n steps of Q8_0 if that loses less."""
    groups = rows.reshape(-1, 32)
    amax = np.abs(groups).max(axis=1, keepdims=True)
    plain = amax / 127
    n = np.arange(1, 128, dtype=np.float32)[None]
    codes = n * safe_divide(amax, step)
    errors = np.where((step > 0) & (codes < 127.5), np.abs(codes - np.rint(codes)) * step / n, np.inf)
    best = errors.argmin(axis=1)[:, None]
    better = np.take_along_axis(errors, best, axis=1) < 0.289 * plain
    scale = np.where(better, step / (best + 1), plain).astype(np.float32)
    codes = np.rint(safe_divide(groups, scale)).clip(-127, 127)
    return (scale.astype(np.float16).astype(np.float32) * codes).reshape(rows.shape)


def error(found, expected):
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected ** 2)))


def main():
    rows = (np.random.default_rng(1).standard_normal((1024, 4096)) * 0.02).astype(np.float32)
    print("| type | bytes a weight | error of the type | added by Q8_0 | together |")
    print("|---|---|---|---|---|")
    for name in TYPES:
        blocks = packed(name, rows)
        stored = unpacked(name, blocks)
        again = requantised(stored, steps(name, blocks))
        plain = requantised(stored, np.zeros((1, 1), np.float32))
        print(f"| {name} | {blocks.nbytes / rows.size:.4f} | {error(stored, rows):.2%} | {error(again, stored):.2%} "
              f"({error(plain, stored):.2%}) | {error(again, rows):.2%} |")


main()
