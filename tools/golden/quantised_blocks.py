#!/usr/bin/env python3
"""Random rows, what PyPI's gguf quantises them to, and what random blocks dequantise to.

Each case: type, `values` (F32 as hex, little-endian), `bytes` (the quantised block) and `back` (dequantised).
Cases without `values` are random bytes, with a finite scale.
"""
import json
import pathlib
import sys

import gguf
import numpy as np

TYPES = {"F16": gguf.GGMLQuantizationType.F16, "BF16": gguf.GGMLQuantizationType.BF16,
         "Q8_0": gguf.GGMLQuantizationType.Q8_0, "Q4_0": gguf.GGMLQuantizationType.Q4_0}
BYTES = {"F16": 64, "BF16": 64, "Q8_0": 34, "Q4_0": 18}


def rows(rng):
    yield np.zeros(32, np.float32)
    yield np.full(32, -3.5, np.float32)
    yield np.arange(-16, 16, dtype=np.float32)
    yield np.arange(-16, 16, dtype=np.float32) * np.float32(1e-6)
    for scale in (1e-4, 0.02, 0.5, 1.0, 7.0, 3000.0):
        yield (rng.standard_normal(32) * scale).astype(np.float32)


def main():
    _, golden = map(pathlib.Path, sys.argv[1:3])
    rng = np.random.default_rng(7)
    cases = []
    for name, kind in TYPES.items():
        for row in rows(rng):
            packed = gguf.quants.quantize(row.reshape(1, 32), kind)
            back = gguf.quants.dequantize(packed, kind).astype(np.float32)
            cases.append({"type": name, "values": row.tobytes().hex(), "bytes": packed.tobytes().hex(),
                          "back": back.tobytes().hex()})
        for _ in range(6):
            block = rng.integers(0, 256, BYTES[name], dtype=np.uint8)
            block[1] &= 0x3f  # a scale below 2, no NaN
            if name in ("F16", "BF16"):
                block[1::2] &= 0xbf
            packed = block.reshape(1, -1)
            if name == "F16":
                packed = packed.view(np.float16)
            back = gguf.quants.dequantize(packed, kind).astype(np.float32)
            cases.append({"type": name, "bytes": block.tobytes().hex(), "back": back.tobytes().hex()})
    (golden / "quantised_blocks.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")


main()
