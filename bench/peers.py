#!/usr/bin/env python3
"""lmdepth beside other programs: the same model, the same tokens, the same cores, in turns.

bench/peers.sh calls it. It prints a Markdown table of speeds (median over the rounds), with
each program's ratio to lmdepth and, of lmdepth, its share of the peak that it measures in the
same moments, and holds the numbers of the row-wise statistics against each other. Exit code 1
when they disagree.
"""

import argparse
import copy
import dataclasses
import gzip
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import numpy

WINDOW = 512  # tokens of a prompt, as jobs/bench.yaml has it
LARGEST = {"entropy": 5e-4, "kl": 5e-4, "top1": 1e-3, "rank": 1e-2}  # see compare()
BLOCKS = [(4, 31), (8, 31), (16, 31), (32, 31), (32, 8), (64, 8)]  # tokens, states

JOB = """\
title: Speed beside other programs
model: {{path: {model}, precision: {precision}}}
corpus: [{{path: {ids}, format: ids}}]
prompts: {{length: {window}}}
observe: {{metrics: [bucket, onset, entropy, divergence]}}
run: {{pack_tokens: {window}}}
output: {out}/peers.nc
"""


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--cores", default="0", help="which, as taskset writes them")
    parser.add_argument("--windows", type=int, default=2, help=f"prompts of {WINDOW} tokens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--busy",
        action="store_true",
        help="others use these cores: ratios by processor time, which is less exact",
    )
    parser.add_argument("--only", help="peers whose name holds this word (and lmdepth)")
    return parser.parse_args()


def cores_of(text):
    cores = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        cores += range(int(first), int(last or first) + 1)
    return cores


# ---- lmdepth ----


class Lmdepth:
    def __init__(self, arguments, threads):
        self.build, self.threads = arguments.build, str(threads)
        self.program = arguments.build / "lmdepth"
        self.model = next((arguments.build / "models").glob("*.gguf")).resolve()
        self.out = (arguments.build / "bench").resolve()
        self.out.mkdir(parents=True, exist_ok=True)

    def run(self, *words, **more):
        done = subprocess.run([self.program, *words], check=False, capture_output=True, **more)
        if done.returncode:
            sys.exit(f"lmdepth {words[0]}: {done.stderr.decode()}")
        return done.stdout

    def prompts(self, n):
        """The demo's text as ids, windows from all over it."""
        text = next((self.build / "corpus").glob("*.txt.gz"))
        line = json.dumps(gzip.decompress(text.read_bytes()).decode("utf-8"))
        ids = self.run("tokenize", "--json", self.model, input=line.encode() + b"\n").split()
        step = max((len(ids) - WINDOW) // n, 1)
        return [[int(i) for i in ids[k * step : k * step + WINDOW]] for k in range(n)]

    def write_jobs(self, prompts):
        ids = self.out / "peers.ids"
        ids.write_text("".join(" ".join(map(str, p)) + "\n" for p in prompts))
        for precision in ("f32", "bf16"):
            job = JOB.format(
                model=self.model, precision=precision, ids=ids, window=WINDOW, out=self.out
            )
            (self.out / f"peers_{precision}.yaml").write_text(job)

    def time(self, precision):
        """Speeds of the whole job and of its forward pass, and what it says of the peak."""
        job = self.out / f"peers_{precision}.yaml"
        words = ["bench", "--job", job, "--threads", self.threads, "--json"]
        begin, used = time.perf_counter(), children_seconds()
        found = json.loads(self.run(*words))["job"]
        spent = (children_seconds() - used) / (time.perf_counter() - begin)
        found["share"] = spent / int(self.threads)  # of the whole call
        found["forward_per_s"] = found["tokens"] / found["seconds"]["forward"]
        return found

    def rows(self, precision):
        """Every position at every state, through bench/dump_rows.c."""
        work = self.out / "peers.work"
        job = self.out / "peers_f32.yaml"
        self.run("run", job, "--prepare-only", "--work", work, "--fresh")
        path = self.out / f"peers_{precision}.npy"
        words = [self.model, work, precision, self.threads, path]
        subprocess.run([self.build / "bench" / "dump_rows", *words], check=True)
        return numpy.load(path)


# ---- the peers: name, function of a prompt, does it decode? ----


def load_models(path):
    """The GGUF model in transformers, its weights widened by the gguf package; fp32, bf16."""
    import torch

    import make_model_reference

    model, _ = make_model_reference.read_gguf(path)
    model.set_attn_implementation("sdpa")
    return model, copy.deepcopy(model).to(torch.bfloat16)


def llama_cpp(path, threads):
    """Its forward pass over the quantised file itself; None where it is not installed."""
    try:
        import llama_cpp as library
    except ImportError:
        print("skipped: llama.cpp (pip install llama-cpp-python)", file=sys.stderr)
        return None
    llama = library.Llama(
        model_path=str(path),
        n_ctx=WINDOW,
        n_batch=WINDOW,
        n_ubatch=WINDOW,
        n_threads=threads,
        n_threads_batch=threads,
        verbose=False,
    )

    def forward(ids):
        llama.reset()
        llama.eval(ids)

    return forward


def choose_blocks(peer_lens, model, ids, precision):
    """The fastest block sizes on one prompt; compiles on the way."""
    best = None
    for tokens, states in BLOCKS:
        blocked = peer_lens.Blocked(model, tokens, states)
        blocked(ids)
        seconds = min(clock(blocked, [ids])[0] for _ in range(2))
        if best is None or seconds < best[0]:
            best = seconds, blocked
    blocked = best[1]
    note = f"blocks of {blocked.tokens} positions x {blocked.states} states"
    print(f"blocked {precision}: {note}", file=sys.stderr)
    return blocked


def peers_of(path, threads, ids, only):
    import peer_lens

    wide, half = load_models(path)
    forward = peer_lens.forward
    makers = {
        "transformers, style of the studies, fp32": lambda: lambda p: peer_lens.plain(wide, p),
        "blocked and compiled, fp32": lambda: choose_blocks(peer_lens, wide, ids, "fp32"),
        "blocked and compiled, bf16": lambda: choose_blocks(peer_lens, half, ids, "bf16"),
        "forward: transformers, fp32": lambda: lambda p: forward(wide, p),
        "forward: transformers, bf16": lambda: lambda p: forward(half, p),
        "forward: llama.cpp, the file's Q4_1": lambda: llama_cpp(path, threads),
    }
    peers = {name: make() for name, make in makers.items() if not only or only in name}
    return {name: peer for name, peer in peers.items() if peer}


# ---- rounds ----


def clock(call, prompts):
    """Seconds, and processor seconds of this process."""
    begin, used = time.perf_counter(), time.process_time()
    for prompt in prompts:
        call(prompt)
    return time.perf_counter() - begin, time.process_time() - used


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclasses.dataclass
class Turn:
    speed: float  # tokens a second
    share: float  # of its time in which it had the processors
    peak: float | None = None  # the share of the peak that it reached


def time_all(lmdepth, peers, prompts, rounds, threads):
    """A list of turns each, and lmdepth's own words beside."""
    tokens = sum(map(len, prompts))
    turns = {name: [] for name in peers}
    own = {"f32": [], "bf16": []}
    for peer in peers.values():
        peer(prompts[0])  # once before, for caches and compilers
    for number in range(rounds):
        for precision, found in own.items():
            found.append(lmdepth.time(precision))
        for name, peer in peers.items():
            seconds, used = clock(peer, prompts)
            turns[name].append(Turn(tokens / seconds, used / (seconds * threads)))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return turns, own


# ---- the table ----


def own_turns(own, key, has_peak):
    return {
        precision: [
            Turn(one[key], one["share"], one["of_peak"] if has_peak else None) for one in found
        ]
        for precision, found in own.items()
    }


def print_rows(rows, base, is_busy):
    """base: turns of the row that the others are compared with."""

    def efficiency(turns):
        return statistics.median(turn.speed / (turn.share if is_busy else 1) for turn in turns)

    for name, turns in rows.items():
        speeds = [turn.speed for turn in turns]
        middle = statistics.median(speeds)
        peaks = [turn.peak for turn in turns if turn.peak]
        share = statistics.median(turn.share for turn in turns)
        cells = [
            name,
            f"{middle:.1f} ({min(speeds):.1f} to {max(speeds):.1f})",
            f"{efficiency(turns) / efficiency(base):.3g}",
            f"{100 * statistics.median(peaks):.0f} %" if peaks else "",
            f"{100 * share:.0f} %",
        ]
        print("| " + " | ".join(cells) + " |")


def print_table(turns, own, is_busy):
    jobs = own_turns(own, "tokens_per_s", True)
    forwards = own_turns(own, "forward_per_s", False)
    rows = {f"**lmdepth, {key}**": found for key, found in jobs.items()}
    rows |= {name: found for name, found in turns.items() if not name.startswith("forward")}
    forward_rows = {f"**forward: lmdepth, {key}**": found for key, found in forwards.items()}
    forward_rows |= {name: found for name, found in turns.items() if name.startswith("forward")}
    print("| program | tokens/s, median (least to greatest) | x lmdepth f32 | of peak | on cpu |")
    print("|---|---|---|---|---|")
    print_rows(rows, jobs["f32"], is_busy)
    print_rows(forward_rows, forwards["f32"], is_busy)
    for precision, found in own.items():
        peak = statistics.median(one["peak"] for one in found)
        print(f"\nlmdepth {precision}: {found[0]['kernel']}; peak {peak:.0f} GFLOP/s a core")


# ---- do they agree? ----


def compare(ours, theirs):
    """Largest difference of entropy and KL relative to max(1, x), shares of top-1 and rank
    that differ. fp32 on both sides, so ties apart all but the last digits are equal."""
    found = {}
    for name in ("entropy", "kl"):
        a, b = ours[name], getattr(theirs, name).astype(numpy.float64)
        found[name] = float((abs(a - b) / numpy.maximum(1, abs(a))).max())
    for name in ("top1", "rank"):
        found[name] = float((ours[name] != getattr(theirs, name)).mean())
    return found


def check_agreement(lmdepth, peers, prompts):
    """fp32 peers against lmdepth f32: the verdict. bf16: for people."""
    ours = {"fp32": lmdepth.rows("f32"), "bf16": lmdepth.rows("bf16")}
    is_good = True
    print("\n| against lmdepth | entropy | KL | top-1 differs | rank differs |")
    print("|---|---|---|---|---|")
    for name, peer in peers.items():
        if name.startswith("forward"):
            continue
        parts = [peer(prompt) for prompt in prompts]
        theirs = copy.copy(parts[0])
        for key in ("entropy", "kl", "top1", "rank"):
            setattr(theirs, key, numpy.concatenate([getattr(part, key) for part in parts]))
        precision = name.rsplit(" ", maxsplit=1)[-1]
        found = compare(ours[precision], theirs)
        print(
            f"| {name} | {found['entropy']:.1e} | {found['kl']:.1e} | "
            f"{100 * found['top1']:.3f} % | {100 * found['rank']:.3f} % |"
        )
        if precision == "fp32":
            is_good &= all(found[key] <= most for key, most in LARGEST.items())
    return is_good


def main():
    arguments = arguments_of()
    cores = cores_of(arguments.cores)
    os.sched_setaffinity(0, cores)  # before torch starts its threads
    os.environ["OMP_NUM_THREADS"] = str(len(cores))
    import torch

    torch.set_num_threads(len(cores))
    lmdepth = Lmdepth(arguments, len(cores))
    prompts = lmdepth.prompts(arguments.windows)
    lmdepth.write_jobs(prompts)
    peers = peers_of(lmdepth.model, len(cores), prompts[0], arguments.only)
    turns, own = time_all(lmdepth, peers, prompts, arguments.rounds, len(cores))
    tokens = sum(map(len, prompts))
    print(f"{tokens} tokens, {len(cores)} threads on cores {arguments.cores}, ", end="")
    print(f"{arguments.rounds} rounds; torch {torch.__version__}\n")
    print_table(turns, own, arguments.busy)
    if not check_agreement(lmdepth, peers, prompts):
        sys.exit("the fp32 numbers disagree")


if __name__ == "__main__":
    main()
