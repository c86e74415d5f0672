#!/usr/bin/env python3
"""The conformance suite: every row of table.py, made anew and held against its reference.

    run.py [--lmdepth PROGRAM] [--scratch FOLDER] [--only TEXT]

For each row: `lmdepth verify` of the model in every container the row names; that it does not
pass without any one of the row's switches; the row's job, its counters held as
tests/reference/compare_job.py says; for some, the same job with one prompt a pack, every
variable equal. Then what must be refused: exit 3, key and value named; and the scripts of this
folder (full-size configurations). One line a row with the largest errors relative to a row's
root mean square; the closing line counts rows.
Needs numpy and netCDF4; no torch.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy

import containers
import jobs
import table
import weights

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "reference"), str(HERE.parent / "python")]

import compare_job
from make_tiny_model import tokenizer

DATA = HERE / "data"
TOLERANCE = "1e-4"
WORKERS = 2


class Wrong(Exception):
    """What a row fails with: the words that a person needs."""


def call(program, *words):
    environment = {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PYTHON": sys.executable,
    }
    return subprocess.run(
        [program, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def must(program, *words):
    done = call(program, *words)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise Wrong(f"exit {done.returncode}: {' '.join(map(str, words))}\n{said}")
    return done.stdout


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# ---- a row ----


def verify(program, row, tensors, container, scratch):
    """Largest errors of (states, logits)."""
    path = containers.write(fresh(scratch / container), row, tensors, container)
    reference = DATA / row.name / "reference.safetensors"
    out = must(program, "verify", "--threads", 1, "--rtol", TOLERANCE, path, reference)
    errors = {what: float(error) for what, error in re.findall(r"^(state \d+|logits) +(\S+)",
                                                              out, re.MULTILINE)}  # fmt: skip
    logits = errors.pop("logits")
    return max(errors.values()), logits


def check_switches(program, row, tensors, scratch):
    """The reference does depend on each switch: without it the same weights don't meet it."""
    for key in row.changes:
        changes = {name: value for name, value in row.changes.items() if name != key}
        other = dataclasses.replace(row, changes=changes)
        folder = fresh(scratch / "without")
        containers.write(folder, other, tensors, "safetensors")
        reference = DATA / row.name / "reference.safetensors"
        done = call(program, "verify", "--threads", 1, "--rtol", TOLERANCE, folder, reference)
        if (done.returncode == 0) != (key in row.neutral) or done.returncode not in (0, 1, 3):
            raise Wrong(f"without {key}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def add_tokenizer(folder):
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<bos>"}))


def run_job(program, row, model, scratch, name, pack):
    output = scratch / f"{name}.nc"
    job = jobs.make(row, model.resolve(), DATA / row.name, output.name, pack)
    path = scratch / f"{name}.yaml"
    path.write_text(json.dumps(job, indent=1))  # JSON is YAML
    output.unlink(missing_ok=True)
    must(program, "run", "--threads", 1, path)
    return compare_job.read_result(output)


def check_counters(program, row, scratch):
    """What the line says of them."""
    model = scratch / "safetensors"
    if row.is_text:
        add_tokenizer(model)
    result = run_job(program, row, model, scratch, "job", jobs.PACK)
    reference = compare_job.Reference(DATA / row.name / "job.npz")
    for title, check in compare_job.CHECKS.items():
        wrong = list(check(result, reference))
        if wrong:
            raise Wrong("\n".join([f"counters: {title}", *wrong[: compare_job.SHOWN]]))
    moved = compare_job.largest_tie(result, reference)[1]
    mean = compare_job.largest_of_means(result, reference)[1] * compare_job.MEAN_TOLERANCE
    said = f"{reference.positions:4} positions, {moved:g} moved, means {mean:.0e}"
    if row.is_packed:
        alone = run_job(program, row, model, scratch, "alone", jobs.LENGTH)
        for name, variable in result.items():
            if not numpy.array_equal(variable.values, alone[name].values,
                                     equal_nan=variable.values.dtype.kind == "f"):  # fmt: skip
                raise Wrong(f"{name} differs between packed prompts and one a pack")
        said += ", packed = alone"
    return said


def check_row(program, row, scratch):
    folder = fresh(scratch / row.name)
    tensors = weights.make(row)
    worst = [verify(program, row, tensors, container, folder) for container in row.containers]
    states, logits = (max(errors) for errors in zip(*worst, strict=True))
    check_switches(program, row, tensors, folder)
    said = check_counters(program, row, folder)
    if row.containers != ("safetensors",):
        said += ", " + " ".join(row.containers)
    return f"states {states:.1e}, logits {logits:.1e}, {said}"


# ---- a refusal ----


def first_row(family):
    return next(row for row in table.ROWS if row.family == family)


def must_refuse(program, row, path, words):
    """Exit 3 and a message that holds the words; it is the line."""
    done = call(program, "verify", path, DATA / row.name / "reference.safetensors")
    missing = [word for word in words if word not in done.stderr]
    if done.returncode != 3 or missing:
        raise Wrong(f"exit {done.returncode}, not named: {missing}\n{done.stderr.strip()}")
    return done.stderr.strip().split(": ", 2)[-1]


def check_refusal(program, refusal, folder):
    row = first_row(refusal.family)
    other = dataclasses.replace(row, changes=refusal.changes, form=refusal.form)
    containers.write(fresh(folder), other, weights.make(row), "safetensors")
    return must_refuse(program, row, folder, refusal.words)


def check_gguf_refusal(program, refusal, folder):
    row = first_row(refusal.family)
    path = fresh(folder) / "model.gguf"
    key = (refusal.key, refusal.kind, refusal.value)
    containers.write_gguf(path, row, weights.make(row), [key])
    return must_refuse(program, row, path, (refusal.key, *refusal.words))


# ---- a script beside this one ----


def check_script(script):
    """It says all that it has to say by its exit status."""
    must("sh", script)
    return "(a script)"


# ---- the whole ----


def judged(task):
    """(passed?, lines to print)."""
    name, check, *arguments = task
    try:
        return True, f"ok     {name:22} {check(*arguments)}"
    except (Wrong, OSError, ValueError, KeyError) as wrong:
        return False, f"FAILED {name}: " + str(wrong).replace("\n", "\n    ")


def tasks(program, scratch, only):
    """The longest first."""
    for script in sorted(HERE.glob("*.sh")):
        if only in script.name:
            yield script.name, check_script, script
    for row in table.ROWS:
        if only in row.name:
            yield row.name, check_row, program, row, scratch
    for i, refusal in enumerate(table.REFUSALS):
        name = f"refused: {refusal.family}, {json.dumps(refusal.changes)}"
        if only in name:
            yield name, check_refusal, program, refusal, scratch / f"refusal-{i}"
    for i, refusal in enumerate(table.GGUF_REFUSALS):
        name = f"refused: {refusal.key} = {refusal.value}"
        if only in name:
            yield name, check_gguf_refusal, program, refusal, scratch / f"gguf-refusal-{i}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    build = pathlib.Path(os.environ.get("BUILD", "build"))
    parser.add_argument("--lmdepth", type=pathlib.Path, default=build / "lmdepth")
    parser.add_argument("--scratch", type=pathlib.Path,
                        default=build / "tests" / "scratch" / "conformance")  # fmt: skip
    parser.add_argument("--only", default="", help="rows whose name holds this")
    arguments = parser.parse_args()
    counts = [0, 0]
    # Processes, not threads: HDF5 belongs to one thread.
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        work = tasks(arguments.lmdepth.resolve(), arguments.scratch, arguments.only)
        for passed, lines in pool.map(judged, work):
            print(lines, flush=True)
            counts[passed] += 1
    closing = f"conformance: {counts[1]} passed, {counts[0]} failed, 0 skipped"
    print(closing)
    if not arguments.only:
        (build / "test-conformance.closing").write_text(closing + "\n")
    sys.exit(1 if counts[0] or not counts[1] else 0)


if __name__ == "__main__":
    main()
