"""Holds a result file against the sum of others: every counter, exact sums in whole integers.

Usage: check_sums.py WHOLE.nc PART.nc PART.nc ...     exit 0 when all add up, else 1
"""

import sys

import netCDF4
import numpy as np

# The frequency table in use is the same in whole and parts, not a sum.
TABLES = {"token_count", "token_rank"}


def exact(limbs):
    """Three limbs to integers in units of 2^-64."""
    wide = limbs.astype(object)
    return wide[..., 0] + (wide[..., 1] << 32) + (wide[..., 2] << 64)


def counters(path):
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        for name, variable in file.variables.items():
            is_counter = variable.dtype == np.int64 and name not in file.dimensions
            if is_counter and name not in TABLES:
                values = variable[...]
                yield (
                    name,
                    exact(values) if variable.dimensions[-1:] == ("limb",) else values,
                )


def main():
    whole = dict(counters(sys.argv[1]))
    parts = [dict(counters(path)) for path in sys.argv[2:]]
    wrong = [
        name
        for name, value in whole.items()
        if not np.array_equal(value, sum(part[name] for part in parts))
    ]
    print(f"{len(whole)} counters, {len(wrong)} do not add up: {' '.join(wrong)}")
    return 1 if wrong or len(whole) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
