"""Reads result files and turns their counters into what figures show.

A Result is a file. A View is a result through one lens, of one group of records or of
all: what a panel of a figure shows. View.take() sums a variable over everything that a
figure does not ask for and keeps the folds apart, so that estimate() can tell how far
its numbers can be trusted. Variables, dimensions and bands: section "result file" of
the interface.
"""

import collections
import contextlib

import netCDF4
import numpy

SCHEMA = 1
BUCKET_NAMES = ("1–10", "11–100", "101–1000", "rest")
BUCKET_LABELS = ("ranks 1–10", "11–100", "101–1000", "1001+, unranked")  # in legends
BUCKET_BORDERS = (10, 100, 1000)  # last ranks of the first three buckets
REST = len(BUCKET_BORDERS)  # ranks from 1001 on, and unranked tokens
FEW = 10  # a share of fewer positions than this is not drawn
LABEL_LENGTH = 26
READ_ERRORS = (KeyError, AttributeError, IndexError, ValueError, RuntimeError, OSError)


class ResultError(Exception):
    """What is wrong with a file, and the exit status that goes with it."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


# ---- files ----


class Result:
    """A result file: its axes, its attributes and its variables."""

    def __init__(self, path):
        self.path = path
        self.data = open_dataset(path)
        self.data.set_auto_mask(False)
        self.attributes = {name: str(self.data.getncattr(name)) for name in self.data.ncattrs()}
        self._check_schema()
        self._counters = {}
        self._read_axes()

    def _check_schema(self):
        schema = self.attributes.get("lmdepth_schema")
        if schema is None:
            raise ResultError(3, f"{self.path}: not a result of lmdepth (no lmdepth_schema)")
        if schema != str(SCHEMA):
            message = f"lmdepth_schema is {schema}, these figures know {SCHEMA}"
            raise ResultError(3, f"{self.path}: {message}")

    def _read_axes(self):
        self.states = self.values("state").astype(int)
        self.depths = self.values("depth").astype(float)
        self.bands = self.values("final_band_bounds").astype(int)
        self.groups = self.names("group_name")
        self.lenses = self.names("lens_name")
        self.fates = self.words("fate")
        self.folds = len(self.data.dimensions["fold"])
        self.blocks = int(self.states[-1])  # the last state is always observed
        self.bucket_of_band = bucket_of_rank(self.bands[:, 0])

    def __contains__(self, name):
        return name in self.data.variables

    def read(self, name, group=None, lens=None):
        """A variable summed over its groups (or of one) and through one lens, as an array
        and the names of the dimensions that are left."""
        key = (name, group, lens)
        if key not in self._counters:
            with self._reading(name):
                self._counters[key] = sum_groups(self.data.variables[name], group, lens)
        return self._counters[key]

    def values(self, name):
        """A whole variable: coordinates and bounds."""
        with self._reading(name):
            return self.data.variables[name][:]

    def names(self, name):
        """Texts of a character variable (n, length)."""
        with self._reading(name):
            self.data.variables[name].set_auto_chartostring(False)
            rows = self.data.variables[name][:].astype("S1")
            return [b"".join(row).decode("utf-8", "replace") for row in rows]

    def words(self, name):
        """What the values of a flag variable mean."""
        with self._reading(name):
            return self.data.variables[name].flag_meanings.split()

    @contextlib.contextmanager
    def _reading(self, name):
        try:
            yield
        except READ_ERRORS as error:
            raise ResultError(3, f"{self.path}: can't read {name}: {error}") from error


def open_dataset(path):
    if not path.exists():
        raise ResultError(2, f"{path}: no such file")
    if path.is_dir():
        raise ResultError(3, f"{path}: a folder, not a result file")
    try:
        return netCDF4.Dataset(path)
    except (OSError, RuntimeError) as error:
        raise ResultError(3, f"{path}: not a NetCDF file that can be read ({error})") from error


def sum_groups(variable, group, lens):
    """Sums slab by slab: a file may have hundreds of groups."""
    dims = list(variable.dimensions)
    groups = [None]
    if "group" in dims:
        groups = range(variable.shape[dims.index("group")]) if group is None else [group]
    place = {"lens": lens if lens is not None else slice(None)}
    total = 0
    for g in groups:
        place["group"] = g
        slab = variable[tuple(place.get(dim, slice(None)) for dim in dims)]
        total = total + value_of_limbs(slab) if dims[-1:] == ["limb"] else total + slab
    gone = {"group", "limb"} | ({"lens"} if lens is not None else set())
    return numpy.asarray(total), [dim for dim in dims if dim not in gone]


def value_of_limbs(limbs):
    """(l0 + l1 2^32 + l2 2^64) 2^-64 of the last axis."""
    low, middle, high = numpy.moveaxis(limbs.astype(float), -1, 0)
    return high + middle * 2.0**-32 + low * 2.0**-64


def bucket_of_rank(rank):
    """The paper's bucket of a frequency rank; 0, unranked, is in the rest."""
    rank = numpy.asarray(rank)
    bucket = numpy.searchsorted(BUCKET_BORDERS, rank, side="left")
    return numpy.where(rank == 0, REST, bucket)


# ---- views ----


class View:
    """A result through one lens, of one group or of all."""

    def __init__(self, result, lens, group, name):
        self.result, self.lens, self.group = result, lens, group
        self.name = name  # of the result
        self.label = f"{name}, {result.lenses[lens]}" if len(result.lenses) > 1 else name
        self.states, self.depths = result.states, result.depths
        self.blocks, self.folds = result.blocks, result.folds

    def __contains__(self, name):
        return name in self.result

    def take(self, name, *dims):
        """(folds, *dims): a variable summed over all other dimensions. A variable without
        folds counts as one fold."""
        values, have = self.result.read(name, self.group, self.lens)
        missing = [dim for dim in dims if dim not in have]
        if missing:
            message = f"{name} has no dimension {', '.join(missing)}"
            raise ResultError(3, f"{self.result.path}: {message}")
        if "fold" not in have:
            values, have = values[None], ["fold", *have]
        kept = ["fold", *dims]
        values = values.sum(axis=tuple(i for i, dim in enumerate(have) if dim not in kept))
        have = [dim for dim in have if dim in kept]
        return values.transpose([have.index(dim) for dim in kept])

    def by_bucket(self, values, axis=-1):
        """Adds up the bands of an axis to the paper's buckets."""
        values = numpy.moveaxis(values, axis, -1)
        buckets = [
            values[..., self.result.bucket_of_band == bucket].sum(axis=-1)
            for bucket in range(len(BUCKET_NAMES))
        ]
        return numpy.moveaxis(numpy.stack(buckets, axis=-1), -1, axis)

    def total(self, name):
        """A variable summed over everything."""
        return int(self.take(name).sum())

    def key(self):
        """Columns that say in a table where a row comes from."""
        group = "(all)" if self.group is None else self.result.groups[self.group]
        return {
            "result": self.name,
            "lens": self.result.lenses[self.lens],
            "group": group,
        }

    def at(self, index):
        """The same with a state."""
        state, depth = int(self.states[index]), float(self.depths[index])
        return {**self.key(), "state": state, "depth": depth}


def views_of(results, labels, group):
    """A view for each result and lens; `group` is a name or None."""
    views = []
    for result, label in zip(results, labels, strict=True):
        place = find_group(result, group)
        views += [View(result, lens, place, label) for lens in range(len(result.lenses))]
    return views


def one_a_file(views):
    """For what doesn't depend on the lens."""
    return [view for view in views if view.lens == 0]


def find_group(result, group):
    if group is None:
        return None
    if group not in result.groups:
        have = ", ".join(result.groups[:20]) + (", ..." if len(result.groups) > 20 else "")
        raise ResultError(2, f"{result.path}: no group '{group}'; it has: {have}")
    return result.groups.index(group)


def labels_of(paths):
    """Short names that differ: as much of the end of each path as that takes."""
    parts = [[*path.resolve().parts[1:-1], path.stem] for path in paths]
    for length in range(1, max(len(part) for part in parts) + 1):
        labels = ["/".join(part[-length:]) for part in parts]
        if len(set(labels)) == len(labels):
            break
    else:
        labels = [f"{label} ({i + 1})" for i, label in enumerate(labels)]
    return [shorten(label) for label in labels]


def shorten(label):
    if len(label) <= LABEL_LENGTH:
        return label
    half = (LABEL_LENGTH - 1) // 2
    return f"{label[:half]}…{label[-half:]}"


# ---- numbers ----

# A statistic of all positions and half the width of its 95 % interval (NaN: not known).
Estimate = collections.namedtuple("Estimate", "value half")


def estimate(statistic, *by_fold):
    """Statistic of the sums over folds, with delete-one-fold jackknife intervals. Folds
    without a count are none. Records, not positions, make the folds, so that the words of
    one text, which depend on each other, are left out together."""
    totals = [values.sum(axis=0) for values in by_fold]
    with numpy.errstate(divide="ignore", invalid="ignore"):
        value = numpy.asarray(statistic(*totals), float)
        folds = range(len(by_fold[0]))
        used = [f for f in folds if any(values[f].any() for values in by_fold)]
        if len(used) < 2:
            return Estimate(value, numpy.full(value.shape, numpy.nan))
        less = [[total - values[f] for total, values in zip(totals, by_fold)] for f in used]
        without = numpy.array([statistic(*values) for values in less], float)
    n = len(used)
    error = numpy.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return Estimate(value, student_975(n - 1) * error)


def student_975(freedom):
    """97.5 % point of Student's t: Cornish and Fisher's expansion; exact where it is not
    good enough."""
    exact = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706}
    z = 1.959964
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    return exact.get(freedom, z + first + second + third)


def share(part, whole):
    """part / whole, NaN where there is nothing."""
    with numpy.errstate(divide="ignore", invalid="ignore"):
        return numpy.where(whole > 0, part / whole, numpy.nan)


def share_of_sum(counts):
    """Shares along the last axis."""
    return share(counts, counts.sum(axis=-1, keepdims=True))


def quantiles(counts, values, chances):
    """Smallest of `values` at which the share of counts (..., values) up to it reaches
    each of `chances`: (..., chances); NaN where nothing was counted."""
    reached = numpy.cumsum(counts, axis=-1)
    total = reached[..., -1:]
    found = []
    for chance in chances:
        place = (reached < chance * total).sum(axis=-1)
        at = numpy.asarray(values, float)[numpy.minimum(place, len(values) - 1)]
        found.append(numpy.where(total[..., 0] > 0, at, numpy.nan))
    return numpy.stack(found, axis=-1)


def geometric_centres(bounds):
    """Centres of whole-number bins [lower, upper), exact where a bin holds one number."""
    low, high = bounds[:, 0].astype(float), bounds[:, 1] - 1.0
    return numpy.where(low == high, low, numpy.sqrt(low * high))
