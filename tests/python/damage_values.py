#!/usr/bin/env python3
"""damage_values.py LMDEPTH RESULT COPY: turns a bit of each array's values in turn, where they
lie in the file as they are (not deflated), and holds that lmdepth refuses to read them."""

import pathlib
import subprocess
import sys

import netCDF4


def places(path):
    """Where the bytes of arrays that are not deflated begin and how many they are, by name."""
    data = path.read_bytes()
    found = {}
    with netCDF4.Dataset(path) as result:
        result.set_auto_mask(False)
        for name, variable in result.variables.items():
            raw = variable[...].tobytes() if variable.ndim else b""
            at = data.find(raw) if len(raw) >= 8 and any(raw) else -1
            if at >= 0 and data.count(raw) == 1:
                found[name] = (at, len(raw))
    return data, found


def main():
    program, result, copy = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    data, found = places(result)
    for name, (at, size) in found.items():
        damaged = bytearray(data)
        damaged[at + size // 2] ^= 16
        copy.write_bytes(damaged)
        done = subprocess.run(
            [program, "compare", result, copy], check=False, capture_output=True, text=True
        )
        if done.returncode != 3 or str(copy) not in done.stderr:
            sys.exit(f"{name}: exit {done.returncode}, {done.stdout}{done.stderr}")
    print(f"{len(found)} arrays damaged")
    if len(found) < 10:
        sys.exit("these are too few")


if __name__ == "__main__":
    main()
