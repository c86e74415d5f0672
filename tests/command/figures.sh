#!/bin/sh
# The figures, from invented results; they need no model.
set -u
. tests/lib.sh
PYTHON=${PYTHON:-/usr/bin/python3}
[ -x "$PYTHON" ] || PYTHON=/usr/bin/python3
if ! "$PYTHON" -c 'import matplotlib, netCDF4, numpy' 2>/dev/null; then
    echo "skipped: python3-matplotlib, python3-netcdf4 or python3-numpy is missing"
    exit 77
fi
export TMPDIR="$SCRATCH" PYTHONDONTWRITEBYTECODE=1
expect 0 "$PYTHON" tests/python/test_figures.py --quiet
expect 0 "$PYTHON" analysis/figures.py --help
prints RESULT.nc --group --format
mkdir "$SCRATCH/without"
echo 'raise ModuleNotFoundError("none", name="netCDF4")' >"$SCRATCH/without/netCDF4.py"
expect 1 env PYTHONPATH="$SCRATCH/without" "$PYTHON" analysis/figures.py --help
says "has no module netCDF4" "python3-netcdf4"
