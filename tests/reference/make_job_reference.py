#!/usr/bin/env python3
"""The counters of a whole job, computed a second time and in another way: every variable
of the result file, from the job file's text to the last histogram, with transformers (fp32
forward pass), tokenizers and numpy. Needs torch, transformers, tokenizers, gguf, PyYAML.

    make_job_reference.py JOB.yaml -o REFERENCE.npz

Nothing here is shared with the program: records, windows, chance, tokens, states, lens and
counting follow the interface's words alone. compare_job.py holds a result against it.
Understood of a job file: a GGUF model; sources of format paragraphs, lines, jsonl, document
and ids, not compressed; all of `prompts` and `observe` with the logit lens; frequencies from
the corpus. tests/conformance/make_references.py brings models and vocabularies of its own.

The reference is refused when the model's output is undecided somewhere, for then two right
programs may disagree on t*, and with it on counts that the test wants equal.
"""

import argparse
import collections
import glob
import json
import math
import pathlib
import sys

import numpy
import tokenizers
import torch
import yaml

from make_model_reference import read_gguf, run, tokenizer_of

METRICS = ["bucket", "onset", "entropy", "divergence", "token"]
FATES = ["used", "split", "cut", "unsampled", "empty", "long", "encoding", "json", "field", "id"]
OUTCOMES = ["same_wrong", "other_wrong", "lens_only", "output_only", "both"]
THRESHOLDS = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000]
THRESHOLDS += [1500, 2000, 3000, 5000, 7000, 10000]
WHITE = " \t\n\v\f\r"
TIE_MARGIN = 1e-3  # of logits, in nats; fp32 errs by about 1e-5
CHUNK = 32  # positions decoded at a time: small enough for memory to be used again

# Dimensions of every variable, by the metric that brings it.
FGLS = ("fold", "group", "lens", "state")
GLS = ("group", "lens", "state")
ONSET = ("fold", "group", "lens", "threshold", "state")
VARIABLES = {
    "always": {
        "position_count": ("fold", "group"),
        "gold_position_count": ("fold", "group"),
        "unusable_position_count": ("group",),
        "nonfinite_count": GLS,
        "final_count": ("fold", "group", "final_band"),
        "gold_band_count": ("fold", "group", "gold_band"),
        "record_count": ("group", "fate"),
        "special_string_count": (),
        "token_count": ("token",),
        "token_rank": ("token",),
    },
    "bucket": {
        "top1_count": (*FGLS, "band", "final_band"),
        "agree_count": (*FGLS, "band"),
        "gold_count": (*GLS, "band", "outcome"),
        "stay_count": GLS,
    },
    "onset": {
        "first_count": (*ONSET, "final_band"),
        "onset_count": (*ONSET, "final_band"),
        "right_first_count": (*ONSET, "final_band"),
        "right_onset_count": (*ONSET, "final_band"),
        "gold_first_count": (*ONSET, "gold_band"),
        "gold_onset_count": (*ONSET, "gold_band"),
        "rank_count": (*GLS, "rank_bin"),
        "gold_rank_count": (*GLS, "rank_bin"),
    },
    "entropy": {
        "entropy_count": (*GLS, "entropy_bin"),
        "entropy_members": (*FGLS, "final_band"),
        "entropy_mean": (*FGLS, "final_band"),
        "entropy_std": (*FGLS, "final_band"),
    },
    "divergence": {
        "kl_count": (*GLS, "kl_bin"),
        "kl_members": FGLS,
        "kl_mean": FGLS,
        "surprisal_members": FGLS,
        "surprisal_mean": FGLS,
        "mass_members": (*GLS, "band"),
        "mass_mean": (*GLS, "band"),
    },
    "token": {"top1_token_count": ("lens", "state", "token")},
}

# ---- the job file ----

DEFAULTS = {
    "prompts": {
        "bos": "auto",
        "length": None,
        "long": "split",
        "sample": 1.0,
        "limit": 0,
    },
    "observe": {"positions": "all", "skip": 0, "states": "all", "folds": 1},
    "frequency": {"from": "corpus", "specials": "drop"},
    "run": {"pack_tokens": 2048, "seed": 0},
}


def read_job(path):
    return complete_job(yaml.safe_load(path.read_text(encoding="utf-8")))


def complete_job(job):
    """Fills in what the job leaves out."""
    for section, defaults in DEFAULTS.items():
        job[section] = {**defaults, **(job.get(section) or {})}
    metrics = job["observe"].get("metrics", METRICS[:4])
    if isinstance(metrics, str):
        metrics = [name.strip() for name in metrics.split(",")]
    job["observe"]["metrics"] = metrics
    return job


def list_of_states(words, n_blocks):
    """Indices of `all`, or of a list such as "0-30, -1"; the last one is always there."""
    if words == "all":
        return list(range(n_blocks + 1))
    chosen = {n_blocks}
    for word in words.replace(" ", "").split(","):
        first, dash, last = word[1:].partition("-")
        first = word[:1] + first
        ends = [int(first), int(last if dash else first)]
        ends = [end + n_blocks + 1 if end < 0 else end for end in ends]
        chosen.update(range(ends[0], ends[1] + 1))
    return sorted(chosen)


# ---- records: (byte offset, bytes or None, group or None, fate or None) ----


def lines_of(data):
    """(offset, line) without line feed, and without a carriage return before it."""
    offset = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while offset < len(data):
        end = data.find(b"\n", offset)
        end = len(data) if end < 0 else end
        yield offset, data[offset:end].removesuffix(b"\r")
        offset = end + 1


def is_blank(data):
    return not data.strip(WHITE.encode())


def read_paragraphs(data, _source):
    start, lines = None, []
    for offset, line in [*lines_of(data), (len(data), b"")]:
        if not is_blank(line):
            start = offset if start is None else start
            lines.append(line)
        elif lines:
            yield start, b"\n".join(lines), None, None
            start, lines = None, []


def read_lines(data, _source):
    for offset, line in lines_of(data):
        if not is_blank(line):
            yield offset, line, None, None


def read_document(data, _source):
    yield 0, data, None, None


def follow(value, path):
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def read_jsonl(data, source):
    group_field = source.get("group_field")
    none = "(none)" if group_field else None
    for offset, line, _, _ in read_lines(data, source):
        try:
            record = json.loads(line.decode("utf-8"))
            json.dumps(record, ensure_ascii=False).encode("utf-8")  # lone surrogates
        except UnicodeDecodeError:
            yield offset, None, none, "encoding"
            continue
        except ValueError:
            yield offset, None, none, "json"
            continue
        text = follow(record, source.get("field", "text"))
        group = follow(record, group_field) or none if group_field else None
        fate = "field" if text is None else None
        yield offset, None if fate else text.encode("utf-8"), group, fate


READERS = {
    "paragraphs": read_paragraphs,
    "lines": read_lines,
    "document": read_document,
    "jsonl": read_jsonl,
    "ids": read_lines,
}
EXTENSIONS = {".jsonl": "jsonl", ".txt": "paragraphs"}


def records_of(job, folder):
    """(key, bytes or None, group, fate or None) of every record, in corpus order."""
    number = 0
    for source in job["corpus"]:
        found = map(pathlib.Path, glob.glob(str(folder / source["path"])))
        files = sorted(found, key=lambda path: path.name.encode())
        assert files, source["path"]
        for path in files:
            name = source.get("format", "auto")
            reader = READERS[EXTENSIONS[path.suffix] if name == "auto" else name]
            for offset, text, group, fate in reader(path.read_bytes(), source):
                key = mix(mix(number) ^ offset)
                yield key, text, group or source.get("group", "all"), fate
            number += 1


def mix(x):
    """The finaliser of SplitMix64."""
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 % 2**64
    x ^= x >> 27
    x = x * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


# ---- tokens and windows ----


class Vocabulary:
    def __init__(self, reader, rows):
        types = reader.fields["tokenizer.ggml.token_type"].contents()
        tokens = reader.fields["tokenizer.ggml.tokens"].contents()
        self.rows = rows
        self.special = [i for i, kind in enumerate(types) if kind in (2, 3)]
        self.tokenizer = tokenizer_of(reader)
        self.tokenizer.decoder = tokenizers.decoders.ByteLevel()
        self.tokenizer.add_special_tokens(
            [tokenizers.AddedToken(tokens[i], special=True) for i in self.special]
        )
        assert self.tokenizer.get_vocab_size() == len(tokens) <= rows
        self.bos = reader.fields["tokenizer.ggml.bos_token_id"].contents()
        self.add_bos = reader.fields["tokenizer.ggml.add_bos_token"].contents()

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.tokenizer.decode(ids)


Window = collections.namedtuple("Window", "inputs start n_bos first last")


def windows_of(ids, length, bos, policy):
    """Fate of a record and its windows, which start at ids[start]."""
    n_bos = len(bos)
    step = length - n_bos
    if len(ids) <= step:
        fate, starts = "used", [0]
    elif policy == "split":
        fate, starts = "split", list(range(0, len(ids), step))
    elif policy == "skip":
        return "long", []
    else:
        fate, starts = "cut", [0 if policy == "head" else len(ids) - step]
    return fate, [
        Window(bos + ids[a : a + step], a, n_bos, a == starts[0], a == starts[-1]) for a in starts
    ]


def is_observed(window, offset, key, job):
    rule, skip = str(job["observe"]["positions"]), job["observe"]["skip"]
    if offset < skip or (window.n_bos and offset == 0 and not window.first):
        return False
    if rule == "last":
        return window.last and offset == len(window.inputs) - 1
    if rule.startswith("every "):
        return (offset - skip) % int(rule.split()[1]) == 0
    if rule.startswith("sample "):
        index = window.start + offset
        seed = mix(job["run"]["seed"] + 2)
        return mix(mix(seed ^ key) ^ index) < float(rule.split()[1]) * 2**64
    assert rule == "all", rule
    return True


# A prompt: its ids, and (offset, gold or -1) of each observed position.
Prompt = collections.namedtuple("Prompt", "inputs observed group fold")


class Corpus:
    """Prompts of a job, its records by fate, its token counts."""

    def __init__(self, job, folder, vocabulary, context):
        self.prompts = []
        self.fates = collections.Counter()
        self.token_count = numpy.zeros(vocabulary.rows, numpy.int64)
        self.job, self.vocabulary = job, vocabulary
        asked = job["prompts"]["bos"]
        with_bos = vocabulary.add_bos if asked == "auto" else asked == "always"
        self.bos = [vocabulary.bos] if with_bos else []
        self.length = job["prompts"]["length"] or min(context, job["run"]["pack_tokens"])
        taken, groups = 0, set()
        for key, text, group, fate in records_of(job, folder):
            sampled = mix(mix(job["run"]["seed"] + 1) ^ key) < job["prompts"]["sample"] * 2**64
            if sampled and taken == job["prompts"]["limit"] > 0:
                break
            taken += sampled
            groups.add(group)
            fate = self.take(key, text, group, fate) if sampled else "unsampled"
            self.fates[group, fate] += 1
        self.groups = sorted(groups, key=lambda name: name.encode("utf-8"))

    def take(self, key, text, group, fate):
        """Adds a sampled record; its fate."""
        if fate:
            return fate
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError:
            return "encoding"
        ids = [] if is_blank(text) else self.vocabulary.encode(decoded)
        if not ids:
            return "empty"
        fate, windows = windows_of(ids, self.length, self.bos, self.job["prompts"]["long"])
        if windows:
            numpy.add.at(self.token_count, ids, 1)
        fold = mix(mix(self.job["run"]["seed"]) ^ key) % self.job["observe"]["folds"]
        for window in windows:
            observed = []
            for offset in range(len(window.inputs)):
                follower = window.start + offset - window.n_bos + 1
                gold = ids[follower] if follower < len(ids) else -1
                if is_observed(window, offset, key, self.job):
                    observed.append((offset, gold))
            if observed:
                self.prompts.append(Prompt(window.inputs, observed, group, fold))
        return fate

    def ranks(self):
        """Rank of every id by frequency, 0 for those that have none."""
        ranked = self.token_count > 0
        if self.job["frequency"]["specials"] == "drop":
            ranked[self.vocabulary.special] = False
        order = sorted(numpy.flatnonzero(ranked), key=lambda i: (-self.token_count[i], i))
        rank = numpy.zeros(self.vocabulary.rows, numpy.int64)
        rank[order] = numpy.arange(1, len(order) + 1)
        return rank


# ---- bins: lower edges, the last edge closes the last bin ----


def band_edges(rows):
    edges = {2**k for k in range(64)} | {10**k + 1 for k in range(19)}
    return numpy.array([0, *sorted(edge for edge in edges if edge < rows), rows + 1])


def rank_edges(rows):
    edges = list(range(1, 65))
    for k in range(200):
        edges.append(math.floor(64 * 2 ** (k / 4)) + 1)
    return numpy.array([edge for edge in edges if edge <= rows] + [rows + 1])


def kl_edges():
    decades = 10.0 ** numpy.linspace(-6, 2, 8 * 20 + 1)
    return numpy.concatenate([[0.0], decades, [math.inf]])


def entropy_edges(rows):
    return 0.02 * numpy.arange(math.ceil(math.log(rows) / 0.02) + 1)


def bins_of(values, edges):
    found = numpy.searchsorted(edges, values, side="right") - 1
    return numpy.clip(found, 0, len(edges) - 2)


# ---- what the model says at every (state, position) ----


# What is needed of a model: run(ids) gives states (N+1, T, d) and logits (T, V); its final norm;
# its unembedding (V, d).
Subject = collections.namedtuple("Subject", "run norm head n_blocks context")


class Readouts:
    """Arrays (L, P): top1, rank (of t*), gold_rank, entropy, kl, surprisal; mass (L, P, B).
    Arrays (P): final (t*), gold (-1: none), group and fold."""

    def __init__(self, subject, corpus, states):
        streams, gold, group, fold = [], [], [], []
        for prompt in corpus.prompts:
            stream, _ = subject.run(prompt.inputs)
            streams.append(stream[:, [offset for offset, _ in prompt.observed]][states])
            gold += [g for _, g in prompt.observed]
            group += [corpus.groups.index(prompt.group)] * len(prompt.observed)
            fold += [prompt.fold] * len(prompt.observed)
        self.stream = torch.cat(streams, dim=1)  # (L, P, d)
        self.gold = numpy.array(gold)
        self.group, self.fold = numpy.array(group), numpy.array(fold)
        self.norm, self.head = subject.norm, subject.head.T

    def margins(self):
        """(P) by how much the output prefers t* to the second best."""
        best = [torch.topk(self.logits(part), 2).values for part in self.stream[-1].split(CHUNK)]
        return -torch.cat(best).diff(dim=1)[:, 0].numpy()

    def decode(self, bands, n_bands):
        self.members = torch.nn.functional.one_hot(torch.from_numpy(bands), n_bands).double()
        parts = []
        for at in range(0, len(self.gold), CHUNK):
            parts.append(self.read(self.stream[:, at : at + CHUNK], self.gold[at : at + CHUNK]))
            print(f"\r{at} of {len(self.gold)} positions", end="", file=sys.stderr)
        print(file=sys.stderr)
        for name in parts[0]:
            setattr(self, name, numpy.concatenate([part[name] for part in parts], axis=-1))
        self.mass = self.mass.swapaxes(1, 2)  # (L, P, B)
        self.final = self.top1[-1]

    def logits(self, stream):
        with torch.no_grad():
            return self.norm(stream) @ self.head

    def read(self, stream, gold):
        """Readouts of some positions, positions last. stream: (L, P, d)"""
        output = self.logits(stream[-1])
        target = torch.from_numpy(output.numpy().argmax(axis=1))[:, None]
        gold = torch.from_numpy(numpy.where(gold < 0, 0, gold))[:, None]
        log_output = torch.log_softmax(output.double(), dim=1)
        p = log_output.exp()
        columns = collections.defaultdict(list)
        for state in stream:
            z = self.logits(state)
            log_q = torch.log_softmax(z.double(), dim=1)
            q = log_q.exp()
            kl = torch.linalg.vecdot(p, log_output) - torch.linalg.vecdot(p, log_q)
            columns["top1"].append(z.numpy().argmax(axis=1))  # the first of equals
            columns["rank"].append(1 + (z > z.gather(1, target)).count_nonzero(dim=1))
            columns["gold_rank"].append(1 + (z > z.gather(1, gold)).count_nonzero(dim=1))
            columns["entropy"].append(-torch.linalg.vecdot(q, log_q))
            columns["kl"].append(kl.clamp(min=0))
            columns["surprisal"].append(-log_q.gather(1, gold)[:, 0])
            columns["mass"].append((q @ self.members).T)
        return {name: numpy.stack(values) for name, values in columns.items()}


# ---- counting ----


def tally(shape, *index):
    """An array of `shape` with 1 added at every index tuple."""
    array = numpy.zeros(shape, numpy.int64)
    numpy.add.at(array, numpy.broadcast_arrays(*index), 1)
    return array


def moments(shape, values, *index):
    """Members, mean and deviation of the values at each index tuple."""
    index = numpy.broadcast_arrays(*index)
    members = tally(shape, *index)
    total = numpy.zeros(shape)
    numpy.add.at(total, index, values)
    with numpy.errstate(invalid="ignore"):
        mean = total / members
    squares = numpy.zeros(shape)
    numpy.add.at(squares, index, (values - mean[tuple(index)]) ** 2)
    with numpy.errstate(invalid="ignore"):
        return members, mean, numpy.sqrt(squares / members)


def crossings(ranks):
    """(threshold, position) of the first state within the threshold, and of the first
    from which on all are; the number of states where there is none."""
    n_states = len(ranks)
    within = ranks[None] <= numpy.array(THRESHOLDS)[:, None, None]
    first = numpy.where(within.any(axis=1), within.argmax(axis=1), n_states)
    outside_last = (~within)[:, ::-1].argmax(axis=1)
    onset = numpy.where(within.all(axis=1), 0, n_states - outside_last)
    return first, onset


class Counts:
    def __init__(self, readouts, corpus, states, edges):
        self.r = readouts
        self.rank_of_token = corpus.ranks()
        self.edges = edges
        self.band = bins_of(self.rank_of_token, edges["band"])
        self.size = {
            "fold": corpus.job["observe"]["folds"],
            "group": len(corpus.groups),
            "lens": 1,
            "state": len(states),
            "threshold": len(THRESHOLDS),
            "outcome": len(OUTCOMES),
            "fate": len(FATES),
            "token": corpus.vocabulary.rows,
            **{name: len(edge) - 1 for name, edge in edges.items()},
        }
        self.dims = {k: d for named in VARIABLES.values() for k, d in named.items()}
        self.state = numpy.arange(len(states))[:, None]  # (L, 1), beside (L, P)
        self.final_band = self.band[readouts.final]
        self.has_gold = readouts.gold >= 0
        self.gold_band = self.band[readouts.gold]  # of no meaning where there is none
        self.values = {}
        self.records(corpus)
        self.positions()
        for metric in METRICS:
            getattr(self, metric)()

    def shape(self, name):
        return tuple(self.size[dim] for dim in self.dims[name])

    def put(self, name, *index):
        self.values[name] = tally(self.shape(name), *index)

    def records(self, corpus):
        counts = numpy.zeros(self.shape("record_count"), numpy.int64)
        for (group, fate), n in corpus.fates.items():
            counts[corpus.groups.index(group), FATES.index(fate)] = n
        self.values["record_count"] = counts
        self.values["special_string_count"] = corpus.token_count[corpus.vocabulary.special].sum()
        self.values["token_count"] = corpus.token_count
        self.values["token_rank"] = self.rank_of_token

    def positions(self):
        r, gold = self.r, self.has_gold
        self.put("position_count", r.fold, r.group)
        self.put("gold_position_count", r.fold[gold], r.group[gold])
        self.put("final_count", r.fold, r.group, self.final_band)
        self.put("gold_band_count", r.fold[gold], r.group[gold], self.gold_band[gold])
        for name in ("unusable_position_count", "nonfinite_count"):
            self.values[name] = numpy.zeros(self.shape(name), numpy.int64)
        assert all(numpy.isfinite(x).all() for x in (r.entropy, r.kl, r.mass))

    def bucket(self):
        r, gold = self.r, self.has_gold
        band = self.band[r.top1]
        fold, group, state = numpy.broadcast_arrays(r.fold, r.group, self.state)
        self.put("top1_count", fold, group, 0, state, band, self.final_band)
        agree = r.top1 == r.final
        self.put("agree_count", fold[agree], group[agree], 0, state[agree], band[agree])
        lens_right, output_right = r.top1 == r.gold, r.final == r.gold
        wrong = numpy.where(agree, 0, 1)
        outcome = numpy.where(lens_right, numpy.where(output_right, 4, 2),
                              numpy.where(output_right, 3, wrong))  # fmt: skip
        self.put("gold_count", r.group[gold], 0, self.state, band[:, gold], outcome[:, gold])
        stay = numpy.zeros(r.top1.shape, bool)
        stay[1:] = r.top1[1:] == r.top1[:-1]
        self.put("stay_count", group[stay], 0, state[stay])

    def onset(self):
        r, gold = self.r, self.has_gold
        right = r.final == r.gold
        everywhere = numpy.ones(r.gold.shape, bool)
        for prefix, ranks, band, chosen in (
            ("", r.rank, self.final_band, everywhere),
            ("right_", r.rank, self.final_band, right),
            ("gold_", r.gold_rank, self.gold_band, gold),
        ):
            for kind, state in zip(("first", "onset"), crossings(ranks), strict=True):
                reached = (state < len(ranks)) & chosen
                threshold, position = numpy.nonzero(reached)
                self.put(f"{prefix}{kind}_count", r.fold[position], r.group[position], 0,
                         threshold, state[reached], band[position])  # fmt: skip
        bins = bins_of(r.rank, self.edges["rank_bin"])
        self.put("rank_count", r.group, 0, self.state, bins)
        bins = bins_of(r.gold_rank[:, gold], self.edges["rank_bin"])
        self.put("gold_rank_count", r.group[gold], 0, self.state, bins)

    def mean(self, name, values, *index, deviation=False):
        found = moments(self.shape(name + "_mean"), values, *index)
        self.values[name + "_members"], self.values[name + "_mean"] = found[:2]
        if deviation:
            self.values[name + "_std"] = found[2]

    def entropy(self):
        r = self.r
        bins = bins_of(r.entropy, self.edges["entropy_bin"])
        self.put("entropy_count", r.group, 0, self.state, bins)
        self.mean("entropy", r.entropy, r.fold, r.group, 0, self.state, self.final_band,
                  deviation=True)  # fmt: skip

    def divergence(self):
        r, gold = self.r, self.has_gold
        self.put("kl_count", r.group, 0, self.state, bins_of(r.kl, self.edges["kl_bin"]))
        self.mean("kl", r.kl, r.fold, r.group, 0, self.state)
        surprisal = r.surprisal[:, gold]
        self.mean("surprisal", surprisal, r.fold[gold], r.group[gold], 0, self.state)
        bands = numpy.arange(self.size["band"])
        self.mean("mass", r.mass, r.group[:, None], 0, self.state[:, :, None], bands)

    def token(self):
        self.put("top1_token_count", 0, self.state, self.r.top1)


# ---- the whole ----


def refuse_undecided(readouts, corpus):
    """Ends the script, and says where, when some t* hangs on rounding."""
    margins = readouts.margins()
    places = [(prompt, offset) for prompt in corpus.prompts for offset, _ in prompt.observed]
    print(f"the closest two tokens of an output are {margins.min():.2g} apart")
    undecided = numpy.flatnonzero(margins < TIE_MARGIN)
    for index in undecided:
        prompt, offset = places[index]
        text = corpus.vocabulary.decode(prompt.inputs[: offset + 1])
        print(f"undecided by {margins[index]:.2g} after: {text[-60:]!r}")
    if len(undecided):
        sys.exit("change the text there")


def gguf_subject(path):
    """The model of a GGUF file, and its vocabulary."""
    model, reader = read_gguf(path)
    subject = Subject(
        lambda ids: run(model, ids),
        model.model.norm,
        model.lm_head.weight.detach(),
        model.config.num_hidden_layers,
        model.config.max_position_embeddings,
    )
    return subject, Vocabulary(reader, model.config.vocab_size)


def compute(job, folder, subject, vocabulary):
    """Reference (name -> array), and the readouts and the corpus behind it. Paths of the job's
    corpus are relative to `folder`."""
    rows = vocabulary.rows
    corpus = Corpus(job, folder, vocabulary, subject.context)
    states = list_of_states(job["observe"]["states"], subject.n_blocks)
    edges = {"band": band_edges(rows), "rank_bin": rank_edges(rows), "kl_bin": kl_edges(),
             "entropy_bin": entropy_edges(rows)}  # fmt: skip
    edges["final_band"] = edges["gold_band"] = edges["band"]
    bands = bins_of(corpus.ranks(), edges["band"])
    readouts = Readouts(subject, corpus, states)
    refuse_undecided(readouts, corpus)
    readouts.decode(bands, len(edges["band"]) - 1)
    counts = Counts(readouts, corpus, states, edges)
    asked = ["always", *job["observe"]["metrics"]]
    dims = {name: list(d) for metric in asked for name, d in VARIABLES[metric].items()}
    reference = {name: compact(counts.values[name]) for name in dims}
    for name, edge in edges.items():
        reference[name + "_edges"] = edge
    labels = {"dimensions": dims, "group": corpus.groups, "lens": ["logit"], "fate": FATES,
              "outcome": OUTCOMES, "threshold": THRESHOLDS, "state": states,
              "blocks": subject.n_blocks}  # fmt: skip
    reference["labels"] = numpy.array(json.dumps(labels, ensure_ascii=False))
    return reference, readouts, corpus


def compact(values):
    """The narrowest type that does: the file is kept in the repository."""
    if values.dtype.kind == "f":
        return values.astype(numpy.float32)
    return values.astype(numpy.min_scalar_type(values.max(initial=0)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("job", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    job, folder = read_job(arguments.job), arguments.job.parent
    subject, vocabulary = gguf_subject(folder / job["model"]["path"])
    reference, readouts, corpus = compute(job, folder, subject, vocabulary)
    print(f"{len(readouts.gold)} positions in {len(corpus.prompts)} windows, groups:",
          ", ".join(corpus.groups))  # fmt: skip
    for (group, fate), n in sorted(corpus.fates.items()):
        print(f"    {n:4} records of {group}: {fate}")
    print("state, mean entropy, mean KL, median rank of t*, share that agrees")
    for state, (entropy, kl, rank, top1) in enumerate(
        zip(readouts.entropy, readouts.kl, readouts.rank, readouts.top1, strict=True)
    ):
        agree = (top1 == readouts.final).mean()
        print(f"{state:4} {entropy.mean():9.4f} {kl.mean():9.4f}", end="")
        print(f" {numpy.median(rank):9.0f} {agree:9.4f}")
    numpy.savez_compressed(arguments.output, **reference)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
