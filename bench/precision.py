#!/usr/bin/env python3
"""What `precision: bf16` moves, state by state: two files of dump_rows, as Markdown.

    precision.py F32.npy BF16.npy

bench/precision.sh makes them for the demo's whole job. Each side is held against its own
output: t* is the top-1 of the last state in that precision.
"""

import sys

import numpy

THRESHOLDS = (1, 10)


def onset(rank, threshold):
    """First state from which on t* stays within the threshold; (positions)."""
    outside = rank > threshold
    states = rank.shape[1]
    last = states - 1 - numpy.argmax(outside[:, ::-1], axis=1)
    return numpy.where(outside.any(axis=1), last + 1, 0)


def percent(share):
    return f"{100 * share:.2f} %"


def print_states(wide, half):
    error = abs(half["entropy"] - wide["entropy"])
    shift = (half["entropy"] - wide["entropy"]).mean(axis=0)
    kl = abs(half["kl"] - wide["kl"])
    moved = half["top1"] != wide["top1"]
    near = (half["rank"] <= 10) != (wide["rank"] <= 10)
    last = wide.shape[1] - 1
    print(
        "| state | entropy, mean | its error, mean | p99 | largest | mean moves by | error of KL, mean | top-1 moves | rank <= 10 moves |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for state in range(last + 1):
        name = f"{state}, the output" if state == last else state
        e = error[:, state]
        print(
            f"| {name} | {wide['entropy'][:, state].mean():.3f} | {e.mean():.4f} | "
            f"{numpy.quantile(e, 0.99):.3f} | {e.max():.2f} | {shift[state]:+.4f} | "
            f"{kl[:, state].mean():.3f} | {percent(moved[:, state].mean())} | "
            f"{percent(near[:, state].mean())} |"
        )
    print(
        f"| all {last + 1} | | {error.mean():.4f} | {numpy.quantile(error, 0.99):.3f} | "
        f"{error.max():.2f} | | {kl.mean():.3f} | {percent(moved.mean())} | {percent(near.mean())} |"
    )


def print_onsets(wide, half):
    print("\n| onset at rank <= | moves | by more than one state | mean in f32 | in bf16 |")
    print("|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        a, b = onset(wide["rank"], threshold), onset(half["rank"], threshold)
        far = abs(a - b) > 1
        print(
            f"| {threshold} | {percent((a != b).mean())} | {percent(far.mean())} | "
            f"{a.mean():.2f} | {b.mean():.2f} |"
        )


def main():
    wide, half = (numpy.load(path) for path in sys.argv[1:])
    if wide.shape != half.shape or (wide["id"] != half["id"]).any():
        sys.exit("these are not the same positions and states")
    print(f"{wide.shape[0]} positions, {wide.shape[1]} states\n")
    print_states(wide, half)
    print_onsets(wide, half)
    gold = wide["gold"][:, -1] >= 0
    for rows, name in ((wide, "f32"), (half, "bf16")):
        right = rows["top1"][gold, -1] == rows["gold"][gold, -1]
        print(f"\noutput right in {name}: {percent(right.mean())}", end="")
    print()


if __name__ == "__main__":
    main()
