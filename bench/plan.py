#!/usr/bin/env python3
"""The plan of docs/scaling.md: what a job takes on a machine, part by part, as Markdown.

    plan.py [KEY=VALUE ...]      any constant below; plan.py cores=50000 share=0.5

Constants are measured (the document says where) or assumed (it says so); sizes of the model
and the job are those that `lmdepth check` prints.
"""

import dataclasses
import math
import sys


@dataclasses.dataclass
class Plan:
    # The machine: assumed.
    cores: int = 10000
    node_cores: int = 128
    node_memory: float = 512e9
    core_peak: float = 100e9  # fp32, operations a second
    file_system: float = 100e9  # bytes a second, all nodes together
    metadata: float = 20e3  # opened files a second, all nodes together
    link: float = 10e9  # bytes a second of one node
    latency: float = 3e-6  # of a message between nodes
    launch: float = 30  # seconds until MPI is up

    # The job: Llama-3-8B, as `lmdepth check` says it; text as its tokenizer cuts it.
    tokens: float = 1e9
    token_flops: float = 49.2e9
    weights: float = 16.06e9  # bytes a node, and of the file
    states: float = 1.52e9  # bytes a rank: states and scratch of one thread
    states_a_thread: float = 17.5e6  # and of each further thread
    counters: float = 11e6  # bytes a rank
    pack: float = 2048  # tokens
    text: float = 4.3  # bytes a token
    files: int = 256  # of the corpus

    # lmdepth: measured.
    share: float = 0.6  # of core_peak that a run reaches; README's "How fast": 0.64 in f32
    tail: float = 0.6  # packs that a rank waits at the end, mean; computed and measured
    request: float = 1.3e-6  # seconds of rank 0 for a ticket
    requests: float = 22  # tickets a rank
    read: float = 0.23e9  # bytes of text a second, read, hashed and cut by one rank
    tokenise: float = 15.7e6  # bytes of text a second and core
    piece: float = 16 * 2**20  # bytes of text that one rank tokenises at a time
    hash: float = 1.5e9  # bytes a second, sha256 on one core
    load: float = 0.55e9  # bytes of weights a second, read and packed by one thread
    add: float = 1e9  # bytes of counters a second, added by one rank
    spool: float = 4.6  # bytes a token
    index: float = 4.1  # bytes a pack, and 8 an id
    snapshot: float = 0.1  # compressed size of the counters, share; of a whole demo 0.04
    interval: float = 600  # seconds between snapshots


def rows_of(plan, threads):
    """(what, value) for ranks of so many threads."""
    ranks = plan.cores // threads
    nodes = math.ceil(plan.cores / plan.node_cores)
    node_ranks = plan.node_cores / threads
    depth = math.ceil(math.log2(ranks))
    speed = plan.cores * plan.core_peak * plan.share
    compute = plan.tokens * plan.token_flops / speed
    pack = plan.pack * plan.token_flops / (threads * plan.core_peak * plan.share)
    packs = plan.tokens / plan.pack
    tail = plan.tail * pack
    text = plan.tokens * plan.text
    index = packs * plan.index + 8 * 128256
    readers = min(plan.files, ranks)
    pieces = text / plan.piece
    prepare = max(
        text / readers / plan.read,
        math.ceil(pieces / ranks) * plan.piece / plan.tokenise,
        text / plan.file_system,
    )
    memory = plan.weights + node_ranks * (
        plan.states + (threads - 1) * plan.states_a_thread + plan.counters
    )
    opened = ranks * (plan.files + 10)
    load = max(plan.weights / plan.load, nodes * plan.weights / plan.file_system)
    gathers = 2 * ranks * depth * plan.latency
    reduction = depth * (plan.counters / plan.add + plan.counters / plan.link + plan.latency)
    start = plan.launch + opened / plan.metadata + plan.weights / plan.hash + load + gathers
    whole = start + prepare + compute + tail + reduction
    return [
        (
            "arithmetic a core",
            (
                f"{100 * plan.share:.0f} % of {plan.core_peak / 1e9:.0f} GFLOP/s: "
                f"{plan.core_peak * plan.share / 1e9:.0f}"
            ),
        ),
        ("ranks, nodes", f"{ranks:,}, {nodes}"),
        ("memory of a node", f"{memory / 1e9:.0f} GB of {plan.node_memory / 1e9:.0f}"),
        ("launching MPI", f"{plan.launch:.0f} s"),
        ("opening the corpus's files", f"{opened:.2g} opens, {opened / plan.metadata:.3g} s"),
        (
            "sha256 of the weights, rank 0, the first time (then remembered)",
            f"{plan.weights / plan.hash:.0f} s",
        ),
        (
            "loading the weights",
            f"{load:.0f} s ({nodes * plan.weights / 1e12:.2g} TB off the file system)",
        ),
        ("small gathers, one broadcast a rank", f"{gathers:.2f} s"),
        (
            "preparing",
            f"{prepare:.1f} s ({text / 1e9:.1f} GB of text in {pieces:.0f} pieces)",
        ),
        (
            "spool, index to all ranks",
            f"{plan.tokens * plan.spool / 1e9:.1f} GB, {index / 1e6:.1f} MB",
        ),
        ("computing", f"{compute / 3600:.2f} h"),
        ("a pack; packs a rank", f"{pack:.0f} s; {packs / ranks:.0f}"),
        ("waiting at the end, mean", f"{tail:.0f} s, {100 * tail / compute:.2g} %"),
        (
            "requests for tickets",
            (
                f"{plan.requests * ranks:,.0f}; at most {ranks / pack:.3g} a second, "
                f"{100 * ranks / pack * plan.request:.2g} % of rank 0"
            ),
        ),
        (
            "snapshots",
            (
                f"{ranks / plan.interval:.2g} files a second, "
                f"{ranks * plan.counters * plan.snapshot / plan.interval / 1e6:.2g} MB/s, "
                f"{ranks * plan.counters * plan.snapshot / 1e9:.2g} GB in {ranks:,} files"
            ),
        ),
        ("summing the counters", f"{reduction:.2f} s"),
        ("whole job", f"{whole / 3600:.2f} h, {100 * compute / whole:.1f} % of it computing"),
    ]


def main():
    plan = Plan()
    for word in sys.argv[1:]:
        key, _, value = word.partition("=")
        if not hasattr(plan, key):
            sys.exit(f"plan.py: no constant '{key}'; the script lists them")
        setattr(plan, key, type(getattr(plan, key))(float(value)))
    columns = {threads: rows_of(plan, threads) for threads in (1, 8, 32)}
    print("| | " + " | ".join(f"threads a rank: {threads}" for threads in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for lines in zip(*columns.values(), strict=True):
        print(f"| {lines[0][0]} | " + " | ".join(value for _, value in lines) + " |")


if __name__ == "__main__":
    main()
