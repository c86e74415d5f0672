#!/usr/bin/env python3
"""Holds a result file against the reference that make_job_reference.py made, and against
itself. Needs numpy and netCDF4. Exit status 0: all checks pass.

    compare_job.py RESULT.nc REFERENCE.npz [--self-test]

--self-test also spoils the result in memory, once for every kind of error that a check is
there to find, and fails when a check does not notice.

Two right programs differ by fp32 rounding, so:
* counts with a state dimension: for each variable and state, half the summed absolute
  differences over all its bins is at most max(4, 0.2 %) of the positions (near ties);
* all other counts, and members of means, are equal: which mean a value belongs to depends
  on t*, gold, group and fold alone, and the reference is of a text on which t* is decided;
* means and deviations: within 1e-4 max(1, |x|), NaN in the same places. No allowance for
  members is needed, for they are equal.
"""

import argparse
import copy
import json
import sys

import netCDF4
import numpy

TIES = 4
TIE_SHARE = 0.002
MEAN_TOLERANCE = 1e-4
ROUNDING = 1e-14  # of a mean made from its limbs
STD_ROUNDING = 1e-9
MASS_ROUNDING = 1e-5  # of the sum of all bands' masses
MEANS = ["entropy", "kl", "surprisal", "mass"]
SHOWN = 4  # failures of a check that are printed


class Variable:
    def __init__(self, variable):
        self.dims = variable.dimensions
        self.values = numpy.asarray(variable[...])
        self.attributes = {name: variable.getncattr(name) for name in variable.ncattrs()}

    def total(self, *kept):
        """Summed over all dimensions but those kept, which come in the order given."""
        rest = tuple(i for i, dim in enumerate(self.dims) if dim not in kept)
        left = [dim for dim in self.dims if dim in kept]
        return self.values.sum(axis=rest).transpose([left.index(dim) for dim in kept])


def read_result(path):
    with netCDF4.Dataset(path) as data:
        data.set_auto_maskandscale(False)
        data.set_auto_chartostring(False)
        return {name: Variable(variable) for name, variable in data.variables.items()}


class Reference:
    def __init__(self, path):
        with numpy.load(path, allow_pickle=False) as file:
            self.arrays = {name: file[name] for name in file.files}
        self.labels = json.loads(str(self.arrays.pop("labels")))
        self.dims = self.labels["dimensions"]
        self.positions = self.arrays["position_count"].sum()

    def __getitem__(self, name):
        values = self.arrays[name]
        return values.astype(numpy.int64) if values.dtype.kind == "u" else values


def is_mean(name):
    return name.endswith(("_mean", "_std"))


def is_tied(name, dims):
    """Does it count something that depends on the lens's logits?"""
    return "state" in dims and not name.endswith("_members") and name != "nonfinite_count"


def differing(where):
    """The first few places, for a message."""
    places = numpy.argwhere(where)
    return f"{len(places)} cells, first {places[0].tolist()}" if len(places) else ""


# ---- checks: each yields a line for everything that is wrong ----


def check_schema(result, reference):
    for name, dims in reference.dims.items():
        if name not in result:
            yield f"{name} is not in the file"
            continue
        values = result[name].values
        kind = "float64" if is_mean(name) else "int32" if name == "token_rank" else "int64"
        if list(result[name].dims) != dims:
            yield f"{name} has dimensions {result[name].dims}, not {dims}"
        if values.shape != reference[name].shape:
            yield f"{name} has shape {values.shape}, not {reference[name].shape}"
        if values.dtype != kind:
            yield f"{name} is of type {values.dtype}, not {kind}"
        if not result[name].attributes.get("long_name") or "units" not in result[name].attributes:
            yield f"{name} lacks long_name or units"


def text_of(variable):
    return [row.tobytes().rstrip(b"\0 ").decode("utf-8") for row in variable.values]


def check_labels(result, reference):
    labels, states = reference.labels, reference.labels["state"]
    names = ["embed" if s == 0 else f"blocks.{s - 1}.hook_resid_post" for s in states]
    for name, found, wanted in (
        ("group_name", text_of(result["group_name"]), labels["group"]),
        ("lens_name", text_of(result["lens_name"]), labels["lens"]),
        ("state_name", text_of(result["state_name"]), names),
        ("state", result["state"].values.tolist(), states),
        ("threshold", result["threshold"].values.tolist(), labels["threshold"]),
        ("fate", result["fate"].attributes["flag_meanings"].split(), labels["fate"]),
        (
            "outcome",
            result["outcome"].attributes["flag_meanings"].split(),
            labels["outcome"],
        ),
    ):
        if found != wanted:
            yield f"{name} is {found}, not {wanted}"
    if not numpy.allclose(result["depth"].values, numpy.array(states) / labels["blocks"]):
        yield "depth is not state / blocks"


def check_bins(result, reference):
    for name in (
        "band",
        "final_band",
        "gold_band",
        "rank_bin",
        "entropy_bin",
        "kl_bin",
    ):
        bounds = result[result[name].attributes["bounds"]].values
        edges = reference[name + "_edges"]
        wanted = numpy.stack([edges[:-1], edges[1:]], axis=1)
        exact = name not in ("entropy_bin", "kl_bin")
        if bounds.shape != wanted.shape:
            yield f"{name} has {len(bounds)} bins, not {len(wanted)}"
        elif exact and (bounds != wanted).any():
            yield f"{name}: bounds differ in {differing(bounds != wanted)}"
        elif not exact and not numpy.allclose(bounds, wanted, rtol=1e-9, atol=0):
            yield f"{name}: bounds differ"


def check_equal(result, reference):
    for name, dims in reference.dims.items():
        if not is_mean(name) and not is_tied(name, dims):
            wrong = differing(result[name].values != reference[name])
            if wrong:
                yield f"{name} differs in {wrong}"


def tie_distances(result, reference):
    """(name, half the summed differences of each state) of counts that near ties move."""
    for name, dims in reference.dims.items():
        if not is_mean(name) and is_tied(name, dims):
            others = tuple(i for i, dim in enumerate(dims) if dim != "state")
            distance = numpy.abs(result[name].values - reference[name]).sum(axis=others)
            yield name, distance / 2


def check_ties(result, reference):
    allowed = max(TIES, TIE_SHARE * reference.positions)
    for name, distance in tie_distances(result, reference):
        for index in numpy.flatnonzero(distance > allowed):
            state = reference.labels["state"][index]
            yield f"{name}, state {state}: {distance[index]:g} positions differ of {allowed:g}"


def mean_distances(result, reference):
    """(name, differences in units of what is allowed) of means and deviations."""
    for name in reference.dims:
        if is_mean(name):
            wanted = reference[name].astype(float)
            difference = numpy.abs(result[name].values - wanted)
            yield (
                name,
                difference / (MEAN_TOLERANCE * numpy.maximum(1, numpy.abs(wanted))),
            )


def check_means(result, reference):
    for name, distance in mean_distances(result, reference):
        holes = numpy.isnan(result[name].values) != numpy.isnan(reference[name])
        if holes.any():
            yield f"{name}: NaN at other places in {differing(holes)}"
        wrong = distance > 1
        if wrong.any():
            yield (
                f"{name} is off by up to {numpy.nanmax(distance):.3g} tolerances in "
                + (differing(wrong))
            )


def integers_of(variable):
    """Sums as integers in units of 2^-64, and whether all limbs are in range."""
    limbs = variable.values.reshape(-1, 3)
    low = limbs[:, :2]
    in_range = ((low >= 0) & (low < 2**32)).all()
    return [l0 + (l1 << 32) + (l2 << 64) for l0, l1, l2 in limbs.tolist()], in_range


def exact_mean(total, members):
    return total / (members << 64) if members else numpy.nan


def exact_deviation(total, squares, members):
    """From n sum(x^2) - (sum x)^2, with total in 2^-64, so its square in 2^-128."""
    if not members:
        return numpy.nan
    spread = max(0, ((members * squares) << 64) - total * total)
    return (spread / (members * members << 128)) ** 0.5


def check_sums(result, _reference):
    for name in MEANS:
        total, in_range = integers_of(result[name + "_sum"])
        members = result[name + "_members"].values.ravel().tolist()
        if not in_range:
            yield f"{name}_sum has limbs out of range"
        if any(t != 0 for t, n in zip(total, members, strict=True) if n == 0):
            yield f"{name}_sum is not 0 where there are no members"
        mean = numpy.array([exact_mean(t, n) for t, n in zip(total, members, strict=True)])
        found = result[name + "_mean"].values.ravel()
        if not numpy.allclose(found, mean, rtol=ROUNDING, atol=2.0**-64, equal_nan=True):
            yield f"{name}_mean is not sum / members"
        if name + "_std" in result:
            squares, in_range = integers_of(result[name + "_square_sum"])
            if not in_range:
                yield f"{name}_square_sum has limbs out of range"
            std = numpy.array([*map(exact_deviation, total, squares, members)])
            found = result[name + "_std"].values.ravel()
            if not numpy.allclose(found, std, rtol=STD_ROUNDING, atol=1e-9, equal_nan=True):
                yield f"{name}_std is not what its sums give"


def check_totals(result, _reference):
    """Every position is in one bin of everything, at every state."""
    cells = ("fold", "group")
    n = result["position_count"].values
    gold = result["gold_position_count"].values
    final = result["final_count"].values
    mean = result["mass_mean"].values
    n_states = len(result["state"].values)

    def each(counts):  # the same at every state: the state comes last
        return numpy.repeat(counts[..., None], n_states, axis=-1)

    by_state = (*cells, "state")
    final_by_state = (*cells, "final_band", "state")
    in_group = ("group", "state")
    for what, found, wanted in (
        ("final_count", final.sum(axis=-1), n),
        ("gold_band_count", result["gold_band_count"].total(*cells), gold),
        (
            "top1_count by final_band",
            result["top1_count"].total(*final_by_state),
            each(final),
        ),
        (
            "entropy_members",
            result["entropy_members"].total(*final_by_state),
            each(final),
        ),
        ("kl_members", result["kl_members"].total(*by_state), each(n)),
        ("surprisal_members", result["surprisal_members"].total(*by_state), each(gold)),
        (
            "entropy_count",
            result["entropy_count"].total(*in_group),
            each(n.sum(axis=0)),
        ),
        ("kl_count", result["kl_count"].total(*in_group), each(n.sum(axis=0))),
        ("rank_count", result["rank_count"].total(*in_group), each(n.sum(axis=0))),
        (
            "gold_rank_count",
            result["gold_rank_count"].total(*in_group),
            each(gold.sum(axis=0)),
        ),
        ("gold_count", result["gold_count"].total(*in_group), each(gold.sum(axis=0))),
        ("top1_token_count", result["top1_token_count"].total("state"), each(n.sum())),
    ):
        if (found != wanted).any():
            yield f"{what} does not sum to the positions"
    band = result["top1_count"].total(*by_state, "band")
    if (result["agree_count"].total(*by_state, "band") > band).any():
        yield "agree_count is above top1_count"
    if (result["mass_members"].values != n.sum(axis=0)[:, None, None, None]).any():
        yield "mass_members is not the number of positions in every band"
    if not (numpy.abs(mean.sum(axis=-1) - 1)[result["mass_members"].values[..., 0] > 0]
            < MASS_ROUNDING).all():  # fmt: skip
        yield "mass_mean does not sum to 1 over the bands"
    token = result["top1_token_count"].values[0]
    by_band = numpy.zeros((n_states, len(result["band"].values)), numpy.int64)
    bands = numpy.searchsorted(result["band"].values, result["token_rank"].values, "right") - 1
    numpy.add.at(by_band.T, bands, token.T)
    if (by_band != result["top1_count"].total("state", "band")).any():
        yield "top1_token_count, put in bands, is not top1_count"


def check_last_state(result, _reference):
    """The lens of the last state is the output."""
    last = {name: result[name].total("state", kept)[-1] for name, kept in (
        ("rank_count", "rank_bin"), ("kl_count", "kl_bin"), ("gold_count", "outcome"),
    )}  # fmt: skip
    if last["rank_count"][1:].any():
        yield "t* has a rank above 1"
    if last["kl_count"][1:].any() or result["kl_sum"].values[:, :, :, -1].any():
        yield "KL is not 0"
    if last["gold_count"][1:4].any():
        yield "lens and output are not both right or the same"
    agree = result["agree_count"].total("fold", "group", "state", "band")[:, :, -1]
    if (agree != result["final_count"].values).any():
        yield "lens top-1 is not always t*"
    top1 = result["top1_count"].total("state", "band", "final_band")[-1]
    if (top1 != numpy.diag(numpy.diag(top1))).any():
        yield "top1_count has lens and output in different bands"
    right = result["right_onset_count"].total("threshold")
    if (right != last["gold_count"][4]).any():
        yield "right_onset_count is not the number of right outputs"


def check_onset(result, reference):
    final = result["final_count"].values[..., None]
    thresholds = numpy.array(reference.labels["threshold"])
    by = ("fold", "group", "final_band", "threshold", "state")
    first, onset = (
        result[kind + "_count"].total(*by).cumsum(axis=-1) for kind in ("first", "onset")
    )
    if (first[..., -1] != final).any() or (onset[..., -1] != final).any():
        yield "not every position has a first and an onset state at every threshold"
    if (first < onset).any():
        yield "more onsets than first states up to some state"
    if (numpy.diff(first, axis=3) < 0).any() or (numpy.diff(onset, axis=3) < 0).any():
        yield "a larger threshold is reached later"
    by = ("fold", "group", "gold_band", "threshold", "state")
    for kind, whole in (("first", first), ("onset", onset)):
        right = result[f"right_{kind}_count"].total(*by[:2], "final_band", *by[3:])
        if (right.cumsum(axis=-1) > whole).any():
            yield f"right_{kind}_count is above {kind}_count"
    gold_first = result["gold_first_count"].total(*by).cumsum(axis=-1)
    gold_onset = result["gold_onset_count"].total(*by).cumsum(axis=-1)
    if (gold_first < gold_onset).any():
        yield "more onsets of gold than first states up to some state"
    if (gold_first[..., -1] > result["gold_band_count"].values[..., None]).any():
        yield "gold_first_count is above the positions with gold"
    exact = thresholds <= 64
    for name, counts in (
        ("rank_count", first[..., 0]),
        ("gold_rank_count", gold_onset[..., -1]),
    ):
        state = 0 if name == "rank_count" else -1
        ranks = result[name].total("state", "rank_bin")[state].cumsum()
        if (ranks[thresholds[exact] - 1] != counts.sum(axis=(0, 1, 2))[exact]).any():
            yield f"{name} at state {state} is not what the thresholds say"


def check_frequency(result, _reference):
    count, rank = result["token_count"].values, result["token_rank"].values
    ranked = numpy.flatnonzero(rank)
    order = ranked[numpy.argsort(rank[ranked], kind="stable")]
    if (rank[order] != numpy.arange(1, len(order) + 1)).any():
        yield "ranks are not 1, 2, 3, ..."
    if (numpy.lexsort((order, -count[order])) != numpy.arange(len(order))).any():
        yield "ranks do not follow the counts, lower id first"
    if (count[order] == 0).any():
        yield "an id that never occurs has a rank"


CHECKS = {
    "variables, dimensions and types": check_schema,
    "labels": check_labels,
    "bounds of bins": check_bins,
    "counts that must be equal": check_equal,
    "counts up to near ties": check_ties,
    "means and deviations": check_means,
    "means are their exact sums": check_sums,
    "totals over bins": check_totals,
    "last state is the output": check_last_state,
    "first and onset states": check_onset,
    "frequency table": check_frequency,
}


# ---- self-test: errors of every kind, and the check that must find each ----


TOO_MANY = 5  # of about 2,400 positions


def add(by, *index):
    """Adds to one cell."""

    def change(values, _dims):
        values[index] += by

    return change


def add_to_largest(by):
    def change(values, _dims):
        values[numpy.unravel_index(numpy.nanargmax(values), values.shape)] += by

    return change


def scale(values, _dims):
    values[4] *= 1.01


def one_state_on(values, dims):
    values[...] = numpy.roll(values, 1, axis=dims.index("state"))


def move_too_many(values, dims):
    """Of the middle state, as many counts to another bin as no near ties explain."""
    middle = numpy.moveaxis(values, dims.index("state"), 0)[values.shape[dims.index("state")] // 2]
    fullest = numpy.unravel_index(middle.argmax(), middle.shape)
    other = tuple(
        0 if index else size - 1 for index, size in zip(fullest, middle.shape, strict=True)
    )
    middle[fullest] -= TOO_MANY
    middle[other] += TOO_MANY


def swap_first_ranks(values, _dims):
    first, second = (numpy.flatnonzero(values == rank)[0] for rank in (1, 2))
    values[first], values[second] = 2, 1


def rename(values, _dims):
    values[0, 0] = b"?"


SPOILERS = {
    "labels": [("group_name", rename), ("state_name", rename), ("threshold", add(1, 3)),
               ("state", add(1, 0)), ("depth", add(0.01, 7))],
    "bounds of bins": [("band_bounds", add(1, 2, 0)), ("rank_bin_bounds", add(1, 70, 1)),
                       ("kl_bin_bounds", scale), ("entropy_bin_bounds", scale)],
    "counts that must be equal": [
        *((name, add_to_largest(1)) for name in (
            "final_count", "gold_band_count", "position_count", "gold_position_count",
            "unusable_position_count", "nonfinite_count", "record_count", "token_count",
            "entropy_members", "kl_members", "surprisal_members", "mass_members")),
        ("special_string_count", add(1)), ("token_rank", swap_first_ranks)],
    "counts up to near ties": [
        ("top1_count", one_state_on), ("onset_count", one_state_on),
        *((name, move_too_many) for name in (
            "top1_count", "agree_count", "gold_count", "stay_count", "first_count",
            "onset_count", "right_first_count", "right_onset_count", "gold_first_count",
            "gold_onset_count", "rank_count", "gold_rank_count", "entropy_count", "kl_count",
            "top1_token_count"))],
    "means and deviations": [
        (name, add_to_largest(0.1)) for name in (
            "entropy_mean", "entropy_std", "kl_mean", "surprisal_mean", "mass_mean")],
    "means are their exact sums": [
        ("entropy_mean", add_to_largest(1e-12)), ("mass_mean", add(1e-12, 0, 0, 0, 0)),
        ("entropy_std", add_to_largest(1e-8)), ("kl_sum", add(2**32, 0, 0, 0, 0, 0)),
        ("surprisal_sum", add(1, 0, -1, 0, 0, 1)),
        ("entropy_square_sum", add(1, 0, -1, 0, 0, 5, 2))],
    "totals over bins": [
        (name, add_to_largest(-1)) for name in (
            "final_count", "gold_band_count", "top1_count", "entropy_members", "kl_members",
            "surprisal_members", "entropy_count", "kl_count", "rank_count", "gold_count",
            "gold_rank_count", "top1_token_count", "mass_members")]
        + [("agree_count", one_state_on), ("mass_mean", add_to_largest(1e-4)),
           ("token_rank", swap_first_ranks)],
    "last state is the output": [
        ("rank_count", add(1, 0, 0, -1, 1)), ("kl_count", add(1, 0, 0, -1, 1)),
        ("kl_sum", add(1, 0, 0, 0, -1, 0)), ("agree_count", add(-1, 0, 0, 0, -1, 1)),
        ("gold_count", add(1, 0, 0, -1, 1, 2)), ("top1_count", add(1, 0, 0, 0, -1, 1, 2)),
        ("right_onset_count", add(1, 0, 0, 0, 0, 0, 0))],
    "first and onset states": [
        ("first_count", add_to_largest(-1)), ("onset_count", add_to_largest(-1)),
        ("first_count", one_state_on), ("rank_count", one_state_on),
        ("right_first_count", add_to_largest(10**6)),
        ("right_onset_count", add_to_largest(10**6)),
        ("gold_onset_count", add(1, 0, 0, 0, 0, 0, 0)), ("gold_rank_count", one_state_on)],
    "frequency table": [("token_rank", swap_first_ranks), ("token_rank", add_to_largest(1))],
}  # fmt: skip


def self_test(result, reference):
    """Lines for spoilt results that their check lets pass."""
    unspoilt = set(reference.dims)
    for check, spoilers in SPOILERS.items():
        for name, change in spoilers:
            spoilt = dict(result)
            spoilt[name] = copy.deepcopy(result[name])
            change(spoilt[name].values, spoilt[name].dims)
            unspoilt.discard(name)
            if not list(CHECKS[check](spoilt, reference)):
                yield f"{check} does not notice a spoilt {name}"
    for name in reference.dims:
        lacking = {other: result[other] for other in result if other != name}
        if not list(check_schema(lacking, reference)):
            yield f"the lack of {name} is not noticed"
    if unspoilt:
        yield f"never spoilt: {sorted(unspoilt)}"


# ---- the whole ----


def report(title, wrong):
    """Prints one line, and the first errors; whether there is none."""
    print(f"{'FAIL' if wrong else 'ok  '} {title}")
    for line in wrong[:SHOWN]:
        print(f"       {line}")
    if len(wrong) > SHOWN:
        print(f"       and {len(wrong) - SHOWN} more")
    return not wrong


def largest_tie(result, reference):
    """(name, positions) of the count that near ties have moved most."""
    found = ((name, distance.max()) for name, distance in tie_distances(result, reference))
    return max(found, key=lambda pair: pair[1])


def largest_of_means(result, reference):
    """(name, share of the tolerance) of the mean that is furthest off."""
    found = ((name, numpy.nanmax(away)) for name, away in mean_distances(result, reference))
    return max(found, key=lambda pair: pair[1])


def report_distance(result, reference):
    """How near the limits the result comes, for people."""
    limit = max(TIES, TIE_SHARE * reference.positions)
    name, worst = largest_tie(result, reference)
    print(f"     nearest the limit of near ties: {name}, {worst:g} of {limit:g} positions")
    name, worst = largest_of_means(result, reference)
    print(f"     nearest the limit of means: {name}, {worst:.2g} of 1e-4 max(1, |x|)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("result")
    parser.add_argument("reference")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    result, reference = read_result(arguments.result), Reference(arguments.reference)
    if not report("variables, dimensions and types", list(check_schema(result, reference))):
        sys.exit(1)
    right = [report(title, list(check(result, reference))) for title, check in CHECKS.items()
             if check is not check_schema]  # fmt: skip
    report_distance(result, reference)
    if arguments.self_test:
        right.append(report("spoilt results are noticed", list(self_test(result, reference))))
    print(f"{arguments.result}: {'equals' if all(right) else 'DIFFERS FROM'} the reference")
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
