"""Makes tests/data/quants.bin: quantised blocks and what they mean.

The oracle is gguf.quants.dequantize of the `gguf` package (pip install gguf). Blocks are
random bytes, so every bit pattern of scales and values turns up; the half floats among
them are kept finite, and some blocks get a scale that is zero, negative zero, subnormal or
the largest one. All numbers are little-endian:

    u32 records, then for each:  u32 ggml type  u32 values  u32 bytes  bytes  f32[values]

Run from the root of the repository: python3 tests/reference/make_quants.py
"""

import struct
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Type, and where in a block its half floats lie.
TYPES = [
    ("F32", []),
    ("F16", [0]),
    ("BF16", []),
    ("Q8_0", [0]),
    ("Q4_0", [0]),
    ("Q4_1", [0, 2]),
    ("Q5_0", [0]),
    ("Q5_1", [0, 2]),
    ("Q2_K", [80, 82]),
    ("Q3_K", [108]),
    ("Q4_K", [0, 2]),
    ("Q5_K", [0, 2]),
    ("Q6_K", [208]),
    ("IQ4_NL", [0]),
    ("IQ4_XS", [0]),
]
VALUES = 1024
SPECIAL_HALVES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF]


def finite_halves(random, n):
    """Half floats as bits: any sign and mantissa, any exponent but the last."""
    sign = random.integers(0, 2, n) << 15
    exponent = random.integers(0, 31, n) << 10
    return (sign | exponent | random.integers(0, 1024, n)).astype("<u2")


def make_blocks(random, kind, halves):
    length, n_bytes = GGML_QUANT_SIZES[kind]
    n = VALUES // length
    if kind in (GGMLQuantizationType.F32, GGMLQuantizationType.BF16):
        wide = random.integers(0, 0x7F800000, n, dtype=np.uint32)
        wide |= random.integers(0, 2, n, dtype=np.uint32) << np.uint32(31)
        if kind == GGMLQuantizationType.F32:
            return wide.astype("<u4").view(np.uint8).reshape(n, 4)
        return (wide >> np.uint32(16)).astype("<u2").view(np.uint8).reshape(n, 2)
    blocks = random.integers(0, 256, (n, n_bytes)).astype(np.uint8)
    for at in halves:
        bits = finite_halves(random, n)
        # K types have only four blocks here, the others room for every special scale.
        n_special = min(len(SPECIAL_HALVES), max(1, n // 4))
        bits[:n_special] = random.permutation(SPECIAL_HALVES)[:n_special]
        blocks[:, at : at + 2] = bits.view(np.uint8).reshape(n, 2)
    return blocks


def main():
    random = np.random.default_rng(20240229)
    out = bytearray(struct.pack("<I", len(TYPES)))
    for name, halves in TYPES:
        kind = GGMLQuantizationType[name]
        blocks = make_blocks(random, kind, halves)
        values = dequantize(blocks, kind).astype("<f4").ravel()
        assert values.size == VALUES and np.isfinite(values).all(), name
        out += struct.pack("<III", kind, values.size, blocks.size)
        out += blocks.tobytes() + values.tobytes()
    path = Path("tests/data/quants.bin")
    path.write_bytes(out)
    print(f"{path}: {len(TYPES)} types, {len(out)} bytes")


if __name__ == "__main__":
    main()
