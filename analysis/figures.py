#!/usr/bin/env python3
"""Draws every figure that the variables of result files allow, each with its numbers as
CSV beside it, and index.html with all of them.

    python3 analysis/figures.py RESULT.nc [MORE.nc ...] -o FOLDER [--format png,pdf,svg]

Needs netCDF4, numpy and matplotlib. A figure is a module of its own, which also runs
alone with the same arguments; driver.py says what a module has. Another figure: a new
module and its name here.
"""

import sys

try:
    import bucket_by_state
    import divergence_by_state
    import driver
    import entropy_by_state
    import flips_by_band
    import flips_by_state
    import frequency_table
    import frequent_guesses
    import gold_outcomes
    import mass_by_band
    import onset_by_band
    import onset_by_state
    import onset_by_threshold
    import rank_by_state
    import records
    import settling_by_state
except ModuleNotFoundError as error:
    sys.exit(
        f"error: {sys.executable} has no module {error.name}; the figures need netCDF4, numpy and "
        "matplotlib (Debian: python3-netcdf4, python3-numpy, python3-matplotlib)"
    )

FIGURES = (
    bucket_by_state,
    flips_by_state,
    flips_by_band,
    settling_by_state,
    onset_by_band,
    onset_by_state,
    onset_by_threshold,
    rank_by_state,
    entropy_by_state,
    divergence_by_state,
    mass_by_band,
    gold_outcomes,
    frequent_guesses,
    frequency_table,
    records,
)

if __name__ == "__main__":
    sys.exit(driver.main(FIGURES))
