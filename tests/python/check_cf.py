"""Holds a result file against the rules of CF-1.11 that matter to it, and against the
contract of its variables (names, kinds, bins, exact sums).

    check_cf.py RESULT.nc [MORE.nc ...]

Needs netCDF4 and numpy; looks through xarray too where it is installed. Prints a line for
each violation; exit status 1 when there is any.
"""

import math
import re
import sys
import warnings
from fractions import Fraction

import netCDF4
import numpy

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
FLAG_WORD = re.compile(r"[A-Za-z0-9_.+@-]+\Z")
THRESHOLDS = [
    1,
    2,
    3,
    5,
    7,
    10,
    15,
    20,
    30,
    50,
    70,
    100,
    150,
    200,
    300,
    500,
    700,
    1000,
] + [1500, 2000, 3000, 5000, 7000, 10000]
ALWAYS = [
    "position_count",
    "gold_position_count",
    "unusable_position_count",
    "nonfinite_count",
    "final_count",
    "gold_band_count",
    "record_count",
    "special_string_count",
    "token_count",
    "token_rank",
    "depth",
    "state_name",
    "group_name",
    "lens_name",
]
SHAPES = {
    "position_count": "fold group",
    "gold_position_count": "fold group",
    "unusable_position_count": "group",
    "nonfinite_count": "group lens state",
    "final_count": "fold group final_band",
    "gold_band_count": "fold group gold_band",
    "record_count": "group fate",
    "special_string_count": "",
    "token_count": "token",
    "token_rank": "token",
    "top1_count": "fold group lens state band final_band",
    "agree_count": "fold group lens state band",
    "gold_count": "group lens state band outcome",
    "stay_count": "group lens state",
    "first_count": "fold group lens threshold state final_band",
    "onset_count": "fold group lens threshold state final_band",
    "right_first_count": "fold group lens threshold state final_band",
    "right_onset_count": "fold group lens threshold state final_band",
    "gold_first_count": "fold group lens threshold state gold_band",
    "gold_onset_count": "fold group lens threshold state gold_band",
    "rank_count": "group lens state rank_bin",
    "gold_rank_count": "group lens state rank_bin",
    "entropy_count": "group lens state entropy_bin",
    "entropy_mean": "fold group lens state final_band",
    "entropy_std": "fold group lens state final_band",
    "kl_count": "group lens state kl_bin",
    "kl_mean": "fold group lens state",
    "surprisal_mean": "fold group lens state",
    "mass_mean": "group lens state band",
    "top1_token_count": "lens state token",
}


class Checker:
    def __init__(self, path):
        self.path = path
        self.file = netCDF4.Dataset(path)
        self.file.set_auto_mask(False)
        self.violations = 0

    def expect(self, is_right, what):
        if not is_right:
            print(f"{self.path}: {what}")
            self.violations += 1
        return is_right

    def is_coordinate(self, variable):
        return variable.dimensions == (variable.name,)

    # ---- the file ----

    def check_file(self):
        self.expect(self.file.data_model == "NETCDF4", "is not full NetCDF-4")
        self.expect(not self.file.groups, "has groups")
        self.expect(self.path.endswith(".nc"), "its name does not end in .nc")
        for name in ("Conventions", "title", "history", "source"):
            value = getattr(self.file, name, None)
            self.expect(isinstance(value, str) and value, f"attribute {name} is missing")
        conventions = getattr(self.file, "Conventions", "")
        self.expect("CF-1.11" in conventions, f"Conventions is '{conventions}'")
        names = list(self.file.variables) + list(self.file.dimensions)
        for name in names:
            self.expect(NAME.match(name), f"{name}: not a CF name")
        folded = {name.lower() for name in names}
        self.expect(len(folded) == len(set(names)), "names differ in case only")
        for name in ALWAYS:
            self.expect(name in self.file.variables, f"{name} is missing")

    # ---- every variable ----

    def check_variable(self, v):
        for name in ("long_name", "units"):
            value = getattr(v, name, "")
            self.expect(isinstance(value, str) and value, f"{v.name}: no {name}")
        self.expect(getattr(v, "units", "") == "1", f"{v.name}: units are not 1")
        self.expect(not hasattr(v, "standard_name"), f"{v.name}: has a standard_name")
        self.expect(v.dtype is not str, f"{v.name}: is of string type")
        if v.dtype.kind == "S":
            self.expect(not self.is_coordinate(v), f"{v.name}: text with its dimension's name")
        if v.name in SHAPES:
            shape = tuple(SHAPES[v.name].split())
            self.expect(v.dimensions == shape, f"{v.name}: dimensions are {v.dimensions}")
        self.check_fill(v)
        self.check_type(v)

    def check_fill(self, v):
        is_derived = re.search("_(mean|std)$", v.name) is not None
        if is_derived:
            fill = getattr(v, "_FillValue", 0.0)
            self.expect(math.isnan(fill), f"{v.name}: _FillValue is {fill}")
            self.expect(getattr(fill, "dtype", None) == v.dtype, f"{v.name}: type of fill")
        else:
            self.expect(not hasattr(v, "_FillValue"), f"{v.name}: has a _FillValue")
        self.expect(not hasattr(v, "missing_value"), f"{v.name}: has a missing_value")
        if v.dtype.kind in "if" and not is_derived and v.dtype.itemsize > 1:
            default = netCDF4.default_fillvals[v.dtype.str[1:]]
            self.expect(not numpy.any(v[...] == default), f"{v.name}: cells were not written")

    def check_type(self, v):
        if re.search("_(count|members|sum)$", v.name):
            self.expect(v.dtype == numpy.int64, f"{v.name}: {v.dtype}, not int64")
        if re.search("_(count|members)$", v.name):
            self.expect(numpy.all(v[...] >= 0), f"{v.name}: has negative counts")
        if re.search("_(mean|std)$", v.name):
            self.expect(v.dtype == numpy.float64, f"{v.name}: {v.dtype}, not double")

    # ---- coordinates ----

    def check_coordinate(self, v):
        values = v[...]
        self.expect(v.dtype.kind in "if", f"{v.name}: a coordinate that is no number")
        self.expect(numpy.all(numpy.isfinite(values)), f"{v.name}: misses values")
        self.expect(numpy.all(numpy.diff(values) > 0), f"{v.name}: does not ascend")

    def check_listed(self, v):
        for name in getattr(v, "coordinates", "").split():
            if self.expect(name in self.file.variables, f"{v.name}: no variable {name}"):
                dims = set(self.file[name].dimensions) - {f"{name}_strlen"}
                self.expect(dims <= set(v.dimensions), f"{v.name}: {name} has other dimensions")

    def check_bounds(self, v):
        name = v.bounds
        if not self.expect(name in self.file.variables, f"{v.name}: no variable {name}"):
            return
        bounds = self.file[name]
        edges = bounds[...]
        self.expect(bounds.dimensions == (v.name, "nv"), f"{name}: dimensions")
        self.expect(bounds.dtype == v.dtype, f"{name}: type differs from {v.name}")
        self.expect(bounds.units == v.units, f"{name}: units differ from {v.name}")
        self.expect(numpy.array_equal(edges[1:, 0], edges[:-1, 1]), f"{name}: gaps")
        self.expect(numpy.all(edges[:, 0] < edges[:, 1]), f"{name}: not in order")
        inside = (edges[:, 0] <= v[...]) & (v[...] < edges[:, 1])
        self.expect(numpy.all(inside), f"{v.name}: outside its bounds")

    def check_flags(self, v):
        words = v.flag_meanings.split(" ")
        values = numpy.atleast_1d(v.flag_values)
        self.expect(values.dtype == v.dtype, f"{v.name}: type of flag_values")
        self.expect(len(words) == len(values), f"{v.name}: flag_meanings and flag_values")
        self.expect(len(set(values)) == len(values), f"{v.name}: flag_values repeat")
        self.expect(all(FLAG_WORD.match(w) for w in words), f"{v.name}: words of flags")
        self.expect(set(v[...]) <= set(values), f"{v.name}: values without a meaning")

    # ---- the contract ----

    def check_bins(self):
        size = {name: len(dim) for name, dim in self.file.dimensions.items()}
        binned = [
            "band",
            "final_band",
            "gold_band",
            "entropy_bin",
            "kl_bin",
            "rank_bin",
        ]
        for name in binned:
            has = name not in size or hasattr(self.file[name], "bounds")
            self.expect(has, f"{name}: no bounds")
        if "threshold" in size:
            self.expect(list(self.file["threshold"][...]) == THRESHOLDS, "thresholds")
        if "entropy_bin" in size:
            n = max(1, math.ceil(math.log(size["token"]) / 0.02))
            self.expect(size["entropy_bin"] == n, "number of entropy bins")
        if "kl_bin" in size:
            edges = self.file["kl_bin_bounds"][...]
            self.expect(len(edges) == 162, "number of KL bins")
            powers = 10.0 ** (numpy.arange(161) / 20 - 6)
            self.expect(numpy.allclose(edges[1:, 0], powers, rtol=1e-13), "edges of KL")
            self.expect(edges[0, 0] == 0 and edges[-1, 1] == numpy.inf, "ends of KL")
        if "rank_bin" in size:
            V = size["token"]
            lower = [r for r in range(1, 65) if r <= V]
            steps = (math.floor(64 * 2 ** (k / 4)) + 1 for k in range(200))
            lower += [edge for edge in steps if edge <= V]
            edges = self.file["rank_bin_bounds"][...]
            self.expect(list(edges[:, 0]) == lower, "edges of rank")
            self.expect(edges[-1, 1] == V + 1, "last edge of rank")
        bands = self.file["final_band_bounds"][...]
        self.expect(list(bands[0]) == [0, 1], "the first band is not [0, 1)")

    def check_sum(self, stem):
        """The mean follows from members and limbs; those are carried."""
        members = self.file[stem + "_members"]
        limbs = self.file[stem + "_sum"]
        mean = self.file[stem + "_mean"]
        self.expect(members.dimensions == mean.dimensions, f"{stem}_members: dimensions")
        self.expect(limbs.dimensions == (*mean.dimensions, "limb"), f"{stem}_sum: dimensions")
        flat = limbs[...].reshape(-1, 3)
        low = flat[:, :2]
        self.expect(numpy.all((low >= 0) & (low < 2**32)), f"{stem}_sum: not carried")
        counts, means = members[...].ravel(), mean[...].ravel()
        self.expect(numpy.array_equal(numpy.isnan(means), counts == 0), f"{stem}_mean: NaN")
        for i in numpy.flatnonzero(counts)[:2000]:
            total = sum(int(limb) << (32 * k) for k, limb in enumerate(flat[i]))
            exact = float(Fraction(total, 2**64) / int(counts[i]))
            near = math.isclose(means[i], exact, rel_tol=1e-15, abs_tol=1e-300)
            self.expect(near, f"{stem}_mean: cell {i} is {means[i]}, not {exact}")

    def check_deviation(self, stem):
        counts = self.file[stem + "_members"][...].ravel()
        sums = self.file[stem + "_sum"][...].reshape(-1, 3)
        squares = self.file[stem + "_square_sum"][...].reshape(-1, 3)
        deviations = self.file[stem + "_std"][...].ravel()
        for i in numpy.flatnonzero(counts)[:2000]:
            n = int(counts[i])
            x = sum(int(limb) << (32 * k) for k, limb in enumerate(sums[i]))
            xx = sum(int(limb) << (32 * k) for k, limb in enumerate(squares[i]))
            variance = Fraction(max(0, n * (xx << 64) - x * x), (n << 64) ** 2)
            exact = math.sqrt(variance)
            near = math.isclose(deviations[i], exact, rel_tol=1e-14, abs_tol=1e-300)
            self.expect(near, f"{stem}_std: cell {i} is {deviations[i]}, not {exact}")

    # ---- through xarray ----

    def check_xarray(self):
        try:
            import xarray
        except ImportError:
            print(f"skipped: {self.path} through xarray, which is not installed")
            return
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dataset = xarray.open_dataset(self.path)
        for warning in caught:
            if "xarray" in warning.filename:
                self.expect(False, f"xarray warns: {warning.message}")
        for name in ("group_name", "lens_name", "state_name"):
            self.expect(name in dataset.coords, f"xarray: {name} is no coordinate")
            self.expect(dataset[name].ndim == 1, f"xarray: {name} is no list of names")
        for name, v in dataset.data_vars.items():
            if re.search("_(count|members|sum)$", name):
                self.expect(v.dtype == numpy.int64, f"xarray: {name} becomes {v.dtype}")
        dataset.close()

    def run(self):
        self.check_file()
        for v in self.file.variables.values():
            self.check_variable(v)
            self.check_listed(v)
            if self.is_coordinate(v):
                self.check_coordinate(v)
            if hasattr(v, "bounds"):
                self.check_bounds(v)
            if hasattr(v, "flag_meanings"):
                self.check_flags(v)
            if v.name.endswith("_mean"):
                self.check_sum(v.name.removesuffix("_mean"))
            if v.name.endswith("_std"):
                self.check_deviation(v.name.removesuffix("_std"))
        self.check_bins()
        self.file.close()
        self.check_xarray()
        return self.violations


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(1 if sum(Checker(path).run() for path in sys.argv[1:]) else 0)


if __name__ == "__main__":
    main()
