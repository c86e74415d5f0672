#!/usr/bin/env python3
"""Writes a result file that no model made, with every variable and dimension of the
real one, for tests of what reads results.

    make_fake_result.py OUT.nc [--blocks 30] [--positions 4000] [--folds 10] ...

Positions are invented one by one, as a model that comes nearer to its output state by
state, and then counted as the interface says: sums over bands, states and folds hold.
"""

import argparse
import math
import pathlib

import netCDF4
import numpy

METRICS = ("bucket", "onset", "entropy", "divergence", "token")
FATES = "used split cut unsampled empty long encoding json field id"
OUTCOMES = "same_wrong other_wrong lens_only output_only both"
THRESHOLDS = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000]
THRESHOLDS += [1500, 2000, 3000, 5000, 7000, 10000]
ONSET = ("fold", "group", "lens", "threshold", "state")
GLS = ("group", "lens", "state")


def band_edges(vocabulary):
    edges = {2**k for k in range(31)} | {10**k + 1 for k in range(10)}
    return [0, *sorted(edge for edge in edges if edge < vocabulary), vocabulary + 1]


def rank_edges(vocabulary):
    edges = list(range(1, 65)) + [math.floor(64 * 2 ** (k / 4)) + 1 for k in range(80)]
    return [*(edge for edge in edges if edge <= vocabulary), vocabulary + 1]


def kl_edges():
    return [0, *(10 ** (step / 20 - 6) for step in range(161)), math.inf]


def bin_of(values, edges):
    return numpy.clip(numpy.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)


class Positions:
    """Invented positions: arrays (positions) and (positions, states)."""

    def __init__(self, options):
        self.chance = numpy.random.default_rng(options.seed)
        n, states = options.positions, options.blocks + 1
        self.states = states
        self.vocabulary = options.vocabulary
        self.fold = self.chance.integers(options.folds, size=n)
        self.group = self.chance.integers(options.groups, size=n)
        self.invent_tokens(n)
        self.invent_ranks(n, states)
        self.invent_numbers(n, states)

    def invent_tokens(self, n):
        """Ids are frequency ranks in disguise: id = rank, id 0 unranked."""
        self.counts = (4e6 / (numpy.arange(self.vocabulary) + 2.7)).astype(int)
        self.counts[-self.vocabulary // 5 :] = 0
        self.counts[0] = 0
        self.rank_of = numpy.where(self.counts > 0, numpy.arange(self.vocabulary), 0)
        chances = self.counts / self.counts.sum()
        self.final = self.chance.choice(self.vocabulary, n, p=chances)
        other = self.chance.choice(self.vocabulary, n, p=chances)
        right = self.chance.random(n) < 0.45
        self.gold = numpy.where(right, self.final, other)
        self.gold[self.chance.random(n) < 0.02] = -1

    def invent_ranks(self, n, states):
        depth = numpy.linspace(0, 1, states)
        settle = self.chance.beta(4, 1.6, n) * (0.75 + 0.02 * numpy.log2(self.final + 1))
        distance = numpy.clip(settle[:, None] - depth + 0.08 * self.noise(n, states), 0, None)
        rank = 1 + (distance * numpy.sqrt(self.vocabulary)) ** 2 * self.chance.random((n, 1))
        rank[:, -1] = 1
        self.rank = numpy.clip(rank.astype(int), 1, self.vocabulary)
        frequent = self.chance.geometric(0.12, (n, states))
        self.top1 = numpy.where(self.rank == 1, self.final[:, None], frequent)
        same = (self.rank > 1) & (self.top1 == self.final[:, None])
        self.top1[same] += 1
        self.gold_rank = numpy.where(
            self.gold[:, None] == self.final[:, None],
            self.rank,
            self.rank + self.chance.integers(1, 400, (n, 1)),
        )

    def invent_numbers(self, n, states):
        depth = numpy.linspace(0, 1, states)
        top = math.log(self.vocabulary)
        level = top * (0.95 - 0.75 * depth**3 + 0.05 * self.noise(n, states))
        sure = self.chance.random((n, 1)) < 0.3
        self.entropy = numpy.clip(numpy.where(sure, level * (1 - 0.9 * depth), level), 0, top)
        self.kl = numpy.exp(2 - 3 * depth + 0.8 * self.noise(n, states)) * (1 - depth)
        self.surprisal = self.kl + 2 + self.chance.random((n, states))
        edges = band_edges(self.vocabulary)
        bands = len(edges) - 1
        weight = numpy.exp(-0.5 * (numpy.arange(bands) - 3 - 5 * depth[:, None]) ** 2 / 9)
        self.mass = numpy.broadcast_to(
            weight / weight.sum(axis=1, keepdims=True), (n, states, bands)
        )

    def noise(self, n, states):
        return self.chance.standard_normal((n, states))


class Writer:
    """A file, its axes and its counters."""

    def __init__(self, options, positions):
        self.o, self.p = options, positions
        self.file = netCDF4.Dataset(options.output, "w")
        self.edges = {
            "band": numpy.array(band_edges(options.vocabulary)),
            "rank_bin": numpy.array(rank_edges(options.vocabulary)),
            "kl_bin": numpy.array(kl_edges()),
            "entropy_bin": numpy.arange(math.ceil(math.log(options.vocabulary) * 50) + 1) / 50,
        }
        self.state = numpy.arange(positions.states)
        self.write_attributes()
        self.write_axes()

    def write_attributes(self):
        name = pathlib.Path(self.o.output).stem
        self.file.setncatts(
            {
                "Conventions": "CF-1.11, ACDD-1.3",
                "title": self.o.title or f"A model that is none: {name}",
                "source": "lmdepth 0.0",
                "lmdepth_schema": self.o.schema,
                "lmdepth_job": "title: nothing\n",
                "lmdepth_model": f"0000  fake (none; f32, {self.o.blocks} blocks)",
                "lmdepth_fingerprint": f"{self.o.seed:064x}",
            }
        )

    def dim(self, name, size):
        self.file.createDimension(name, size)

    def put(self, name, dims, values, kind="i8", **attributes):
        variable = self.file.createVariable(name, kind, dims)
        variable.setncatts(attributes)
        variable[...] = values
        return variable

    def names(self, name, dim, texts):
        self.file.createDimension(f"{name}_strlen", 40)
        variable = self.file.createVariable(name, "S1", (dim, f"{name}_strlen"))
        variable._Encoding = "utf-8"
        variable.set_auto_chartostring(False)
        rows = numpy.zeros((len(texts), 40), "S1")
        for row, text in zip(rows, texts, strict=True):
            data = numpy.frombuffer(text.encode(), "S1")
            row[: len(data)] = data
        variable[:] = rows

    def flags(self, name, words):
        values = numpy.arange(len(words.split()), dtype="i4")
        self.dim(name, len(values))
        self.put(name, (name,), values, "i4", flag_values=values, flag_meanings=words)

    def write_axes(self):
        for name, size in (
            ("nv", 2),
            ("limb", 3),
            ("fold", self.o.folds),
        ):
            self.dim(name, size)
        self.put("fold", ("fold",), range(self.o.folds), "i4")
        groups = [f"group {letter}" for letter in "abcdefghij"[: self.o.groups]]
        self.dim("group", len(groups))
        self.names("group_name", "group", groups)
        lenses = self.o.lenses.split(",")
        self.flags("lens", " ".join(lenses))
        self.names("lens_name", "lens", lenses)
        self.write_states()
        for dim in ("band", "final_band", "gold_band"):
            self.bins(dim, self.edges["band"], "i4")
        self.flags("outcome", OUTCOMES)
        self.flags("fate", FATES)
        self.dim("token", self.o.vocabulary)
        self.dim("threshold", len(THRESHOLDS))
        self.put("threshold", ("threshold",), THRESHOLDS, "i4")
        for dim, kind in (("rank_bin", "i4"), ("kl_bin", "f8"), ("entropy_bin", "f8")):
            self.bins(dim, self.edges[dim], kind)

    def write_states(self):
        if self.o.states:
            self.state = numpy.array([int(word) for word in self.o.states.split(",")])
        self.dim("state", len(self.state))
        self.put("state", ("state",), self.state, "i4")
        self.put("depth", ("state",), self.state / max(self.o.blocks, 1), "f8")

    def bins(self, dim, edges, kind):
        self.dim(dim, len(edges) - 1)
        bounds = numpy.stack([edges[:-1], edges[1:]], axis=1)
        centres = bounds[:, 0] if kind == "i4" else bounds.mean(axis=1)
        if dim == "kl_bin":
            centres = numpy.exp(numpy.log(numpy.clip(bounds, 9e-7, 112)).mean(axis=1))
        self.put(dim, (dim,), centres, kind, bounds=dim + "_bounds")
        self.put(dim + "_bounds", (dim, "nv"), bounds, kind)

    # ---- counting ----

    def index(self, dim, shape):
        """Default places along a dimension, to be broadcast over (positions, states)."""
        place = {
            "fold": self.p.fold[:, None],
            "group": self.p.group[:, None],
            "lens": 0,
            "state": numpy.arange(len(self.state))[None],
        }[dim]
        return numpy.broadcast_to(place, shape)

    def count(self, name, dims, shape=None, where=True, **places):
        """Adds 1 at every position (and state). `places` fill the dimensions that are not
        fold, group, lens or state."""
        shape = shape or (len(self.p.fold), len(self.state) if "state" in dims else 1)
        sizes = [len(self.file.dimensions[dim]) for dim in dims]
        values = numpy.zeros(sizes, numpy.int64)
        where = numpy.broadcast_to(where, shape)
        index = tuple(
            (numpy.broadcast_to(places[dim], shape) if dim in places else self.index(dim, shape))[
                where
            ]
            for dim in dims
        )
        numpy.add.at(values, index, 1)
        if "lens" in dims:
            first = numpy.take(values, [0], axis=dims.index("lens"))
            values = numpy.repeat(first, sizes[dims.index("lens")], axis=dims.index("lens"))
        self.put(name, dims, values)
        return values

    def mean(self, stem, dims, numbers, where=True, **places):
        """X_members and X_sum of numbers (positions, states)."""
        members = self.count(stem + "_members", dims, where=where, **places)
        total = numpy.zeros(members.shape)
        shape = numbers.shape
        where = numpy.broadcast_to(where, shape)
        index = tuple(
            (numpy.broadcast_to(places[dim], shape) if dim in places else self.index(dim, shape))[
                where
            ]
            for dim in dims
        )
        numpy.add.at(total, index, numbers[where])
        self.put_sum(stem, dims, total)

    def put_sum(self, stem, dims, total):
        if "lens" in dims:
            axis = dims.index("lens")
            total = numpy.repeat(numpy.take(total, [0], axis=axis), total.shape[axis], axis=axis)
        whole = numpy.floor(total)
        rest = (total - whole) * 2.0**32
        limbs = numpy.stack([(rest - numpy.floor(rest)) * 2.0**32, numpy.floor(rest), whole], -1)
        self.put(stem + "_sum", (*dims, "limb"), limbs.astype(numpy.int64))

    def band(self, ids):
        return bin_of(self.p.rank_of[ids], self.edges["band"])

    def write(self):
        p = self.p
        for name in ("top1", "rank", "gold_rank", "entropy", "kl", "surprisal", "mass"):
            setattr(p, name, getattr(p, name)[:, self.state])
        self.write_always()
        for metric in self.o.metrics.split(","):
            getattr(self, "write_" + metric)()
        self.file.close()

    def write_always(self):
        p, gold = self.p, (self.p.gold >= 0)[:, None]
        self.count("position_count", ("fold", "group"))
        self.count("gold_position_count", ("fold", "group"), where=gold)
        self.put("unusable_position_count", ("group",), 0)
        self.put("nonfinite_count", GLS, 0)
        self.count(
            "final_count",
            ("fold", "group", "final_band"),
            final_band=self.band(p.final)[:, None],
        )
        self.count(
            "gold_band_count",
            ("fold", "group", "gold_band"),
            where=gold,
            gold_band=self.band(p.gold)[:, None],
        )
        fates = numpy.zeros((self.o.groups, len(FATES.split())))
        fates[:, :5] = [120, 14, 0, 260, 3]
        self.put("record_count", ("group", "fate"), fates)
        self.put("special_string_count", (), 0)
        self.put("token_count", ("token",), p.counts)
        self.put("token_rank", ("token",), p.rank_of, "i4")

    def write_bucket(self):
        p = self.p
        dims = ("fold", *GLS, "band")
        agree = p.top1 == p.final[:, None]
        band, final_band = self.band(p.top1), self.band(p.final)[:, None]
        self.count("top1_count", (*dims, "final_band"), band=band, final_band=final_band)
        self.count("agree_count", dims, where=agree, band=band)
        gold = p.gold[:, None]
        right, output = p.top1 == gold, (p.final[:, None] == gold)
        wrong = numpy.where(agree, 0, 1)
        outcome = numpy.where(right, numpy.where(output, 4, 2), numpy.where(output, 3, wrong))
        self.count(
            "gold_count",
            (*GLS, "band", "outcome"),
            where=gold >= 0,
            band=band,
            outcome=outcome,
        )
        stay = numpy.zeros(p.top1.shape, bool)
        stay[:, 1:] = p.top1[:, 1:] == p.top1[:, :-1]
        self.count("stay_count", GLS, where=stay)

    def write_onset(self):
        p = self.p
        final, gold = self.band(p.final), self.band(p.gold)
        right = p.gold == p.final
        self.onsets("", p.rank, p.final >= 0, "final_band", final)
        self.onsets("right_", p.rank, right, "final_band", final)
        self.onsets("gold_", p.gold_rank, p.gold >= 0, "gold_band", gold)
        self.count(
            "rank_count",
            (*GLS, "rank_bin"),
            rank_bin=bin_of(p.rank, self.edges["rank_bin"]),
        )
        self.count(
            "gold_rank_count",
            (*GLS, "rank_bin"),
            where=(p.gold >= 0)[:, None],
            rank_bin=bin_of(p.gold_rank, self.edges["rank_bin"]),
        )

    def onsets(self, prefix, rank, use, dim, band):
        within = rank[:, None, :] <= numpy.array(THRESHOLDS)[None, :, None]  # (P, K, L)
        first = within.argmax(axis=2)
        lasting = numpy.logical_and.accumulate(within[..., ::-1], axis=2)[..., ::-1]
        onset = lasting.argmax(axis=2)
        n, k = first.shape
        places = {"threshold": numpy.arange(k)[None], dim: band[:, None]}
        dims = (*ONSET, dim)
        for name, state, ever in (
            ("first", first, within.any(2)),
            ("onset", onset, lasting.any(2)),
        ):
            self.count(
                f"{prefix}{name}_count",
                dims,
                shape=(n, k),
                where=ever & use[:, None],
                state=state,
                **places,
            )

    def write_entropy(self):
        p = self.p
        bins = bin_of(p.entropy, self.edges["entropy_bin"])
        self.count("entropy_count", (*GLS, "entropy_bin"), entropy_bin=bins)
        self.mean(
            "entropy",
            ("fold", *GLS, "final_band"),
            p.entropy,
            final_band=self.band(p.final)[:, None],
        )

    def write_divergence(self):
        p = self.p
        self.count("kl_count", (*GLS, "kl_bin"), kl_bin=bin_of(p.kl, self.edges["kl_bin"]))
        self.mean("kl", ("fold", *GLS), p.kl)
        self.mean("surprisal", ("fold", *GLS), p.surprisal, where=(p.gold >= 0)[:, None])
        members = numpy.zeros((self.o.groups, 1, len(self.state), 1), numpy.int64)
        numpy.add.at(members, (p.group,), 1)
        lenses, bands = len(self.file.dimensions["lens"]), p.mass.shape[-1]
        members = numpy.broadcast_to(members, (self.o.groups, lenses, len(self.state), bands))
        self.put("mass_members", (*GLS, "band"), members)
        total = numpy.zeros((self.o.groups, 1, len(self.state), bands))
        numpy.add.at(total[:, 0], p.group, p.mass)
        self.put_sum("mass", (*GLS, "band"), numpy.repeat(total, lenses, axis=1))

    def write_token(self):
        self.count("top1_token_count", ("lens", "state", "token"), token=self.p.top1)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    for name, value in (
        ("blocks", 30),
        ("positions", 4000),
        ("folds", 10),
        ("groups", 2),
        ("vocabulary", 49152),
        ("seed", 0),
        ("schema", 1),
    ):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--lenses", default="logit")
    parser.add_argument("--states", default="")
    parser.add_argument("--title", default="")
    parser.add_argument("--metrics", default=",".join(METRICS))
    options = parser.parse_args(arguments)
    Writer(options, Positions(options)).write()


if __name__ == "__main__":
    main()
