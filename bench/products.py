#!/usr/bin/env python3
"""The lens kernel with all its statistics beside PyTorch's product alone, in turns.

    VENV/bin/python bench/products.py [--shape smollm2-135m] [--rounds 9] [--core 0]

PyTorch (MKL and oneDNN on x86-64) computes the same logits and nothing of them, in blocks of
the size that is fastest here; lmdepth computes their statistics too. One thread each, on one
core. Prints medians over the rounds with least and greatest, in GFLOP/s of the product's
2 d V operations a row. VENV must have torch 2.13.0; BUILD/lmdepth is timed.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch

BLOCKS = [(rows, columns) for rows in (448, 1792) for columns in (2048, 8192, None)]
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shape", default="smollm2-135m")
    return parser.parse_args()


def time_lens(arguments, precision):
    """The row of `lmdepth bench` for weights stored in that precision."""
    words = ["--shape", arguments.shape, "--precision", precision, "--threads", "1"]
    done = subprocess.run(
        [arguments.build / "lmdepth", "bench", *words, "--repeat", "1", "--json"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    rows = json.loads(done.stdout)["decode"]
    return next(row for row in rows if row["stored"] == precision)


class Product:
    """Logits of a block of rows by torch.mm, into memory that is there."""

    def __init__(self, width, vocabulary, precision):
        kind = TYPES[precision]
        self.states = torch.randn(max(rows for rows, _ in BLOCKS), width).to(kind)
        self.weights = torch.randn(vocabulary, width).to(kind).t()
        self.block = max(BLOCKS, key=lambda block: self.speed(block, 3))

    def speed(self, block, repeats):
        rows, columns = block[0], block[1] or self.weights.shape[1]
        states = self.states[:rows]
        parts = self.weights.split(columns, dim=1)
        out = torch.empty(rows, columns, dtype=self.states.dtype)
        took = []
        for _ in range(repeats):
            start = time.perf_counter()
            for part in parts:
                torch.mm(states, part, out=out[:, : part.shape[1]])
            took.append(time.perf_counter() - start)
        return 2e-9 * rows * self.weights.numel() / statistics.median(took)


def median_of(values):
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def compare(arguments, precision):
    row = time_lens(arguments, precision)
    product = Product(row["d"], row["vocab"], precision)
    ours, peaks, theirs = [], [], []
    for _ in range(arguments.rounds):
        row = time_lens(arguments, precision)
        ours.append(row["gflops"])
        peaks.append(row["gflops"] / row["of_peak"])
        theirs.append(product.speed(product.block, 5))
    print(
        f"| {precision} | {median_of(ours)} | {median_of(theirs)} | {median_of(peaks)} "
        f"| {statistics.median(a / b for a, b in zip(ours, theirs, strict=True)):.2f} |",
        flush=True,
    )


def main():
    arguments = arguments_of()
    os.sched_setaffinity(0, {arguments.core})
    torch.set_num_threads(1)
    print(f"{arguments.shape}, GFLOP/s; PyTorch {torch.__version__}")
    print("| precision | lens kernel | torch.mm alone | multiply-add loop | lens / mm |")
    print("|---|---|---|---|---|")
    for precision in TYPES:
        compare(arguments, precision)


if __name__ == "__main__":
    main()
