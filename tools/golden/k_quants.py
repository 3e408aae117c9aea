"""Quantisers for the K types, which PyPI's gguf only dequantises.

They round each group to its own range and search for nothing better, so they lose a little more than the makers'
tools do.
"""
import gguf
import numpy as np


def f16(values):
    return values.astype(np.float16)


def safe_divide(a, b):
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape, np.float32), where=b != 0)


def packed_scales(scales, minima):
    """Eight scales and eight minima of six bits in twelve bytes."""
    low = scales[:, :4] | (scales[:, 4:] >> 4) << 6
    middle = minima[:, :4] | (minima[:, 4:] >> 4) << 6
    high = (scales[:, 4:] & 15) | (minima[:, 4:] & 15) << 4
    return np.concatenate([low, middle, high], axis=1).astype(np.uint8)


def ranged(blocks, levels):
    """Numbers 0…levels of groups of 32 between each group's smallest and largest weight, and the scales."""
    groups = blocks.reshape(-1, 8, 32)
    low = np.minimum(groups.min(axis=2), 0)
    scale = (groups.max(axis=2).clip(min=0) - low) / levels
    d = f16(scale.max(axis=1, keepdims=True) / 63)
    dmin = f16(-low.min(axis=1, keepdims=True) / 63)
    six = np.rint(safe_divide(scale, d.astype(np.float32))).clip(0, 63).astype(np.uint8)
    minimum = np.rint(safe_divide(-low, dmin.astype(np.float32))).clip(0, 63).astype(np.uint8)
    step = (d.astype(np.float32) * six)[:, :, None]
    offset = (dmin.astype(np.float32) * minimum)[:, :, None]
    q = np.rint(safe_divide(groups + offset, step)).clip(0, levels).astype(np.uint8)
    head = np.concatenate([d.view(np.uint8), dmin.view(np.uint8), packed_scales(six, minimum)], axis=1)
    return head, q


def nibbles(q):
    """Groups 2c and 2c + 1 share bytes: low and high nibble."""
    pairs = q.reshape(-1, 4, 2, 32) & 15
    return (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(-1, 128)


def q4_k(blocks):
    head, q = ranged(blocks, 15)
    return np.concatenate([head, nibbles(q)], axis=1)


def q5_k(blocks):
    head, q = ranged(blocks, 31)
    fifth = np.zeros((len(q), 32), np.uint8)
    for group in range(8):
        fifth |= (q[:, group] >> 4) << group
    return np.concatenate([head, fifth, nibbles(q)], axis=1)


def q6_k(blocks):
    groups = blocks.reshape(-1, 16, 16)
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    scale = extreme / -32
    d = f16(np.abs(scale).max(axis=1, keepdims=True) / 127)
    eight = np.rint(safe_divide(scale, d.astype(np.float32))).clip(-128, 127).astype(np.int8)
    step = (d.astype(np.float32) * eight)[:, :, None]
    q = (np.rint(safe_divide(groups, step)).clip(-32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low = np.concatenate([(q[:, :, 0] & 15) | (q[:, :, 2] & 15) << 4, (q[:, :, 1] & 15) | (q[:, :, 3] & 15) << 4],
                         axis=2)
    top = q[:, :, 0] >> 4 | (q[:, :, 1] >> 4) << 2 | (q[:, :, 2] >> 4) << 4 | (q[:, :, 3] >> 4) << 6
    return np.concatenate([low.reshape(-1, 128), top.reshape(-1, 64), eight.view(np.uint8), d.view(np.uint8)], axis=1)


QUANTISERS = {"Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k}


def quantise(name, rows):
    """Rows of F32, a multiple of 256 wide, as rows of bytes."""
    blocks = np.ascontiguousarray(rows, np.float32).reshape(-1, 256)
    return QUANTISERS[name](blocks).reshape(len(rows), -1)


def packed(name, rows):
    """Rows of F32 as rows of bytes, of any quantised type."""
    if name in QUANTISERS:
        return quantise(name, rows)
    return gguf.quants.quantize(rows, gguf.GGMLQuantizationType[name])
