"""The figures, drawn from invented results and held against numbers counted in another
way.
"""

import csv
import hashlib
import importlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr

import netCDF4
import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "analysis"), str(ROOT / "tests" / "python")]

make_fake_result = importlib.import_module("make_fake_result")
figures = importlib.import_module("figures")
driver = importlib.import_module("driver")
result = importlib.import_module("result")
style = importlib.import_module("style")
vocabulary = importlib.import_module("vocabulary")

style.SETTINGS["savefig.dpi"] = 72  # but where bytes are compared: quicker
SMALL = ["--blocks=6", "--vocabulary=3000", "--positions=700", "--folds=5"]


def fake(folder, name="one", *options):
    path = pathlib.Path(folder) / f"{name}.nc"
    make_fake_result.main([str(path), *SMALL, *options])
    return path


def draw(paths, folder, *options, modules=figures.FIGURES):
    """(exit status, standard error)"""
    paths = [paths] if isinstance(paths, pathlib.Path) else paths
    says = io.StringIO()
    with redirect_stderr(says):
        arguments = [*map(str, paths), "-o", str(folder), "--format", "png", *options]
        try:
            status = driver.main(modules, arguments)
        except SystemExit as stop:
            status = stop.code
    assert "Warning" not in says.getvalue(), says.getvalue()
    return status, says.getvalue()


def table(folder, stem):
    with open(pathlib.Path(folder) / f"{stem}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def module(name):
    return next(m for m in figures.FIGURES if driver.name_of(m) == name)


class Files(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.out = self.folder / "out with space" / "deep"


class EveryFigure(Files):
    def test_all_are_drawn_with_tables_and_a_page(self):
        status, says = draw(fake(self.folder), self.out)
        self.assertEqual((status, says.count("not drawn")), (0, 0), says)
        page = (self.out / "index.html").read_text(encoding="utf-8")
        for name in map(driver.name_of, figures.FIGURES):
            self.assertTrue((self.out / f"{name}.png").stat().st_size > 2000, name)
            self.assertIn(f'src="{name}.png"', page)
            self.assertIn(f'href="{name}.csv"', page)
            self.assertTrue(table(self.out, name), name)
        self.assertNotIn("http", page)
        self.assertNotIn(str(self.folder), page)

    def test_metrics_not_asked_for_are_skipped_with_a_line(self):
        path = fake(self.folder, "one", "--metrics", "bucket")
        status, says = draw(path, self.out)
        self.assertEqual(status, 0)
        self.assertIn("entropy_by_state: not drawn for one: it has no entropy_count", says)
        self.assertFalse((self.out / "entropy_by_state.png").exists())
        self.assertTrue((self.out / "flips_by_state.png").exists())

    def test_results_of_other_axes_side_by_side(self):
        paths = [
            fake(self.folder, "one"),
            fake(
                self.folder,
                "two",
                "--blocks",
                "3",
                "--vocabulary",
                "90",
                "--folds",
                "1",
            ),
            fake(self.folder, "three", "--lenses", "logit,tuned", "--states", "0,2,5,6"),
        ]
        status, says = draw(paths, self.out, "--labels", "a, b$x_1$, a label that is too long")
        self.assertEqual((status, says.count("not drawn")), (0, 0), says)
        rows = table(self.out, "bucket_by_state")
        places = {(row["result"], row["lens"]) for row in rows}
        self.assertEqual(len(places), 4)
        depths = {row["depth"] for row in rows if row["result"] == "b$x_1$"}
        self.assertIn("0.333333333", depths)

    def test_one_state(self):
        status, says = draw(fake(self.folder, "one", "--states", "6"), self.out)
        self.assertEqual(status, 0, says)

    def test_no_position(self):
        status, says = draw(fake(self.folder, "one", "--positions", "0"), self.out)
        self.assertEqual(status, 0)
        self.assertIn("its position_count is 0", says)
        self.assertTrue((self.out / "records.png").exists())

    def test_no_token_counted(self):
        path = fake(self.folder, "one", "--positions", "0")
        with netCDF4.Dataset(path, "a") as file:
            file["token_count"][:] = 0
            file["token_rank"][:] = 0
        status, says = draw(path, self.out)
        self.assertEqual(status, 0, says)
        self.assertTrue((self.out / "frequency_table.png").exists())


class SameBytes(Files):
    NAMES = ("bucket_by_state", "entropy_by_state", "frequent_guesses", "onset_by_band")

    def digests(self, path, out, environment):
        names = ", ".join(self.NAMES)
        command = [
            sys.executable,
            "-c",
            f"import driver, {names}; driver.main([{names}])",
        ]
        command += [str(path), "-o", str(out), "--format", "png,pdf,svg"]
        environment = {**environment, "PYTHONPATH": str(ROOT / "analysis")}
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=environment)
        files = sorted(out.iterdir())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def test_a_second_time_elsewhere_with_other_settings(self):
        path = fake(self.folder)
        (self.folder / "matplotlibrc").write_text("font.size: 17\naxes.grid: True\n")
        first = self.digests(path, self.folder / "a", {**os.environ, "PYTHONHASHSEED": "1"})
        other = {
            "PYTHONHASHSEED": "2",
            "MATPLOTLIBRC": str(self.folder / "matplotlibrc"),
        }
        other["TZ"] = "Pacific/Apia"
        second = self.digests(path, self.folder / "b", {**os.environ, **other})
        self.assertEqual(len(first), 4 * len(self.NAMES) + 1)
        self.assertEqual(first, second)

    def test_a_figure_runs_alone(self):
        path = fake(self.folder)
        script = ROOT / "analysis" / "records.py"
        command = [sys.executable, str(script), str(path), "-o", str(self.out)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        files = sorted(file.name for file in self.out.iterdir())
        self.assertEqual(files, ["records.csv", "records.pdf", "records.png"])


class Numbers(Files):
    """Tables against the file's counters, summed by hand."""

    def setUp(self):
        super().setUp()
        path = fake(self.folder)
        self.data = netCDF4.Dataset(path)
        self.data.set_auto_mask(False)
        self.addCleanup(self.data.close)
        wanted = (
            "flips_by_state",
            "onset_by_state",
            "divergence_by_state",
            "mass_by_band",
            "rank_by_state",
            "entropy_by_state",
        )
        draw(path, self.out, modules=[module(name) for name in wanted])

    def rows(self, stem, **wanted):
        return [
            row
            for row in table(self.out, stem)
            if all(row[key] == value for key, value in wanted.items())
        ]

    def test_flips(self):
        bounds = self.data["band_bounds"][:]
        bands = (bounds[:, 0] >= 11) & (bounds[:, 1] <= 101)
        guessed = self.data["top1_count"][:][:, :, 0, 4][:, :, bands].sum()
        kept = self.data["agree_count"][:][:, :, 0, 4][:, :, bands].sum()
        (row,) = self.rows("flips_by_state", state="4", bucket="11–100")
        self.assertEqual(int(row["positions"]), guessed)
        self.assertAlmostEqual(float(row["share_overturned"]), 1 - kept / guessed, places=7)
        (last,) = self.rows("flips_by_state", state="6", bucket="all")
        self.assertEqual(float(last["share_overturned"]), 0)

    def test_onset(self):
        place = list(self.data["threshold"][:]).index(5)
        counts = self.data["onset_count"][:, :, 0, place].sum(axis=(0, 1))
        rest = (self.data["final_band"][:] == 0) | (self.data["final_band"][:] >= 1001)
        counts = counts[:, rest].sum(axis=1)
        (row,) = self.rows(
            "onset_by_state", threshold="5", state="3", bucket="rest", onset="for good"
        )
        self.assertAlmostEqual(
            float(row["share_reached"]), counts[:4].sum() / counts.sum(), places=7
        )

    def test_means_of_exact_sums(self):
        limbs = self.data["kl_sum"][:, :, 0, 2].reshape(-1, 3)
        total = sum(int(a) + (int(b) << 32) + (int(c) << 64) for a, b, c in limbs) / 2**64
        (row,) = self.rows("divergence_by_state", state="2")
        mean = total / self.data["kl_members"][:, :, 0, 2].sum()
        self.assertAlmostEqual(float(row["kl_mean"]), mean, places=6)

    def test_masses_add_up(self):
        total = sum(float(row["mean_mass"]) for row in self.rows("mass_by_band", state="1"))
        self.assertAlmostEqual(total, 1, places=6)

    def test_ranks(self):
        (row,) = self.rows("rank_by_state", state="6")
        self.assertEqual((row["rank_p95"], row["share_rank_to_1"]), ("1", "1"))
        counts = self.data["rank_count"][:, 0, 3].sum(axis=0)
        (row,) = self.rows("rank_by_state", state="3")
        within = counts[self.data["rank_bin"][:] <= 64].sum() / counts.sum()
        self.assertAlmostEqual(float(row["share_rank_to_64"]), within, places=7)

    def test_shares_of_entropy_add_up(self):
        rows = self.rows("entropy_by_state", state="3", what="share")
        self.assertAlmostEqual(sum(float(row["value"]) for row in rows), 1, places=6)

    def test_one_group(self):
        path = self.folder / "one.nc"
        for name in ("group a", "group b"):
            draw(
                path,
                self.folder / name,
                "--group",
                name,
                modules=[module("flips_by_state")],
            )
        parts = [
            sum(int(row["positions"]) for row in table(folder, "flips_by_state"))
            for folder in (self.folder / "group a", self.folder / "group b", self.out)
        ]
        self.assertEqual(parts[0] + parts[1], parts[2])
        self.assertTrue(0 < parts[0] < parts[2])


class Statistics(unittest.TestCase):
    def test_jackknife_of_a_mean_is_its_standard_error(self):
        values = numpy.array([3.0, 5.0, 4.0, 8.0])
        found = result.estimate(lambda total, n: total / n, values, numpy.ones(4))
        error = values.std(ddof=1) / 2
        self.assertAlmostEqual(float(found.value), 5)
        self.assertAlmostEqual(float(found.half), 3.1824 * error, places=4)

    def test_empty_folds_are_none(self):
        values = numpy.array([3.0, 0.0, 5.0, 0.0])
        counts = numpy.array([1, 0, 1, 0])
        found = result.estimate(result.share, values, counts)
        self.assertAlmostEqual(float(found.half), 12.7062, places=3)

    def test_one_fold_has_no_interval(self):
        found = result.estimate(result.share, numpy.ones((1, 3)), numpy.full((1, 3), 2))
        self.assertTrue(numpy.isnan(found.half).all())
        self.assertEqual(found.value.tolist(), [0.5] * 3)

    def test_student(self):
        for freedom, exact in ((4, 2.7764), (6, 2.4469), (9, 2.2622), (30, 2.0423)):
            self.assertAlmostEqual(result.student_975(freedom), exact, delta=2e-3)

    def test_quantiles(self):
        counts = numpy.array([[1, 2, 1, 0], [0, 0, 0, 0]])
        found = result.quantiles(counts, [10, 20, 30, 40], (0.25, 0.26, 0.75, 0.95))
        self.assertEqual(found[0].tolist(), [10, 20, 20, 30])
        self.assertTrue(numpy.isnan(found[1]).all())

    def test_buckets(self):
        ranks = [0, 1, 10, 11, 100, 101, 1000, 1001, 40000]
        self.assertEqual(result.bucket_of_rank(ranks).tolist(), [3, 0, 0, 1, 1, 2, 2, 3, 3])

    def test_limbs(self):
        limbs = numpy.array([[1 << 31, 1 << 31, 3], [0, 0, -2]])
        self.assertEqual(result.value_of_limbs(limbs).tolist(), [3.5 + 2.0**-33, -2])


class Words(Files):
    def test_labels_differ(self):
        paths = [pathlib.Path(p) for p in ("/r/a/out.nc", "/r/b/out.nc", "/r/b/x.nc")]
        self.assertEqual(result.labels_of(paths), ["a/out", "b/out", "b/x"])
        self.assertEqual(result.labels_of(paths[:1]), ["out"])
        self.assertEqual(len(set(result.labels_of(paths[:1] * 2))), 2)

    def test_ticks(self):
        self.assertEqual(style.state_ticks(numpy.arange(31)), [0, 5, 10, 15, 20, 25, 30])
        self.assertEqual(style.state_ticks(numpy.arange(13)), [0, 2, 4, 6, 8, 10, 12])
        self.assertEqual(style.state_ticks(numpy.array([7])), [7])
        ticks = style.state_ticks(numpy.arange(82))
        self.assertEqual((ticks[0], ticks[-1]), (0, 81))
        self.assertNotIn(80, ticks)

    def test_vocabularies(self):
        texts = {
            "a.tsv": '0\t"the"\n7\t" \\n"\n',
            "b.json": json.dumps({"the": 0, " \n": 7}),
            "c.json": json.dumps({"0": "the", "7": " \n"}),
            "d.json": json.dumps(
                {
                    "model": {"vocab": {"the": 0}},
                    "added_tokens": [{"id": 7, "content": " \n"}],
                }
            ),
        }
        for name, text in texts.items():
            path = self.folder / name
            path.write_text(text, encoding="utf-8")
            self.assertEqual(vocabulary.read_vocabulary(path), {0: "the", 7: " \n"}, name)
        path.write_text(json.dumps({"Ġa": 1, "ÂłĊ": 2, "<|é|>": 3}), encoding="utf-8")
        texts = vocabulary.read_vocabulary(path)
        self.assertEqual(texts[1], " a")
        self.assertEqual(texts[2], "\u00a0\n")
        self.assertEqual(vocabulary.show(2, texts, str.isprintable, 9), "\\u00a0↵")
        shown = vocabulary.show(7, {7: " a\n中$"}, lambda letter: letter != "中", 20)
        self.assertEqual(shown, "␣a↵\\u4e2d$")
        self.assertEqual(vocabulary.show(8, {}, bool, 5), "#8")

    def test_guesses_show_texts(self):
        path = fake(self.folder)
        (self.folder / "words").write_text('1\t" $x_1$"\n2\t"\\u4e2d"\n', encoding="utf-8")
        guesses = [module("frequent_guesses")]
        status, says = draw(
            path, self.out, "--vocabulary", str(self.folder / "words"), modules=guesses
        )
        self.assertEqual(status, 0, says)
        texts = {row["token"]: row["text"] for row in table(self.out, "frequent_guesses")}
        self.assertEqual((texts["1"], texts["2"]), (" $x_1$", "中"))


class BadInput(Files):
    def refuse(self, status, text, path, *options):
        got, says = draw(path, self.out, *options)
        self.assertEqual(got, status, says)
        self.assertIn(text, says)
        self.assertNotIn("Traceback", says)

    def test_files(self):
        self.refuse(2, "no such file", self.folder / "none.nc")
        self.refuse(3, "a folder", self.folder)
        text = self.folder / "text.nc"
        text.write_text("not a result")
        self.refuse(3, "text.nc", text)
        other = self.folder / "other.nc"
        netCDF4.Dataset(other, "w").close()
        self.refuse(3, "no lmdepth_schema", other)
        self.refuse(3, "schema is 9", fake(self.folder, "later", "--schema", "9"))

    def test_truncated(self):
        path = fake(self.folder)
        path.write_bytes(path.read_bytes()[:-3000])
        self.refuse(3, "one.nc", path)

    def test_half_a_result(self):
        path = self.folder / "half.nc"
        with netCDF4.Dataset(path, "w") as data:
            data.lmdepth_schema = "1"
        self.refuse(3, "can't read state", path)

    def test_options(self):
        path = fake(self.folder)
        self.refuse(2, "no group 'x'; it has: group a, group b", path, "--group", "x")
        self.refuse(2, "is not a list of png, pdf, svg", path, "--format", "gif")
        self.refuse(2, "2 for 1 results", path, "--labels", "a,b")
        self.refuse(2, "no such file", path, "--vocabulary", str(self.folder / "none"))
        words = self.folder / "words"
        words.write_text("0 the\n")
        self.refuse(3, "line 1", path, "--vocabulary", str(words))
        blocked = self.folder / "blocked"
        blocked.write_text("")
        self.out = blocked / "out"
        self.refuse(4, "blocked", path)


if __name__ == "__main__":
    unittest.main()
