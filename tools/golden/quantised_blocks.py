#!/usr/bin/env python3
"""Random rows, what PyPI's gguf quantises them to, and what random blocks dequantise to.

Three kinds of cases, all with a type:
- `values` (F32 as hex, little-endian), `bytes` (the quantised block) and `back` (dequantised);
- `bytes` and `back` alone: random bytes whose scales are ordinary, zero, negative or subnormal, never infinite;
- `seed`, `blocks` and `digest`: so many blocks drawn from the generator below, and the FNV-1a of all that they
  dequantise to. The same generator stands in src/compute/quantise_test.cc.
"""
import json
import pathlib
import sys

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES

WRITTEN = ["F16", "BF16", "Q8_0", "Q4_0"]
# Where the F16 scales and minima of a block lie.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}
HOSTILE = [0x0000, 0x8000, 0x0001, 0x83ff, 0xb123, 0x7bff]
MASK = (1 << 64) - 1


def rows(rng):
    yield np.zeros(32, np.float32)
    yield np.full(32, -3.5, np.float32)
    yield np.arange(-16, 16, dtype=np.float32)
    yield np.arange(-16, 16, dtype=np.float32) * np.float32(1e-6)
    for scale in (1e-4, 0.02, 0.5, 1.0, 7.0, 3000.0):
        yield (rng.standard_normal(32) * scale).astype(np.float32)


def dequantise(name, blocks):
    """Rows of block bytes as F32."""
    kind = gguf.GGMLQuantizationType[name]
    packed = blocks.view(np.float16) if name == "F16" else blocks
    return gguf.quants.dequantize(packed, kind).astype(np.float32)


def quantised_rows(name, rng):
    kind = gguf.GGMLQuantizationType[name]
    for row in rows(rng):
        packed = gguf.quants.quantize(row.reshape(1, 32), kind)
        back = gguf.quants.dequantize(packed, kind).astype(np.float32)
        yield {"type": name, "values": row.tobytes().hex(), "bytes": packed.tobytes().hex(),
               "back": back.tobytes().hex()}


def hostile_blocks(name, rng):
    for i in range(len(HOSTILE)):
        block = rng.integers(0, 256, GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]][1], dtype=np.uint8)
        for place, at in enumerate(SCALES[name]):
            word = HOSTILE[(i + place) % len(HOSTILE)]
            block[at:at + 2] = word & 0xff, word >> 8
        yield {"type": name, "bytes": block.tobytes().hex(), "back": dequantise(name, block[None])[0].tobytes().hex()}


def drawn_blocks(name, seed, count):
    """`count` blocks from a linear congruential generator; bit 14 of every scale is cleared, so that all are finite."""
    size = GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]][1]
    state, out = seed, np.empty(count * size, np.uint8)
    for i in range(count * size):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        out[i] = state >> 56
    blocks = out.reshape(count, size)
    for at in SCALES[name]:
        blocks[:, at + 1] &= 0xbf
    return blocks


def fnv1a(data):
    digest = 0xcbf29ce484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001b3 & MASK
    return f"{digest:016x}"


def main():
    _, golden = map(pathlib.Path, sys.argv[1:3])
    rng = np.random.default_rng(7)
    cases = [case for name in WRITTEN for case in quantised_rows(name, rng)]
    for seed, name in enumerate(SCALES):
        cases += hostile_blocks(name, rng)
        count = 200 if GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]][0] == 256 else 1000
        back = dequantise(name, drawn_blocks(name, seed, count))
        cases.append({"type": name, "seed": seed, "blocks": count, "digest": fnv1a(back.tobytes())})
    (golden / "quantised_blocks.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")


main()
