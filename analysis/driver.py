"""The command line of the figures: of all, or of one that runs alone.

A figure is a module with
    TITLE      what the page calls it
    NEEDS      variables without which it can't be drawn
    COUNTED    the count of positions that must not be 0, or None
    draw(views, options) -> report.Drawing
and its name is the name of its files.
"""

import argparse
import pathlib
import sys

import report
import style
from result import Result, ResultError, labels_of, shorten, views_of
from vocabulary import read_vocabulary

KINDS = ("png", "pdf", "svg")


def read_arguments(arguments, description):
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("results", nargs="+", type=pathlib.Path, metavar="RESULT.nc")
    add("-o", "--output", required=True, type=pathlib.Path, metavar="FOLDER")
    add("--format", default="png,pdf", help="of png, pdf, svg [%(default)s]")
    add("--group", help="only this group of the records [all together]")
    add("--labels", help="names of the results, comma-separated [from their paths]")
    add(
        "--vocabulary",
        type=pathlib.Path,
        metavar="FILE",
        help="texts of tokens: TSV of id and JSON string, vocab.json, tokenizer.json",
    )
    options = parser.parse_args(arguments)
    options.kinds = [kind.strip() for kind in options.format.split(",") if kind.strip()]
    unknown = [kind for kind in options.kinds if kind not in KINDS]
    if unknown or not options.kinds:
        parser.error(f"--format: '{options.format}' is not a list of {', '.join(KINDS)}")
    return options


def main(figures, arguments=None):
    """Draws `figures` (modules); several get a page. Exit status of the contract."""
    options = read_arguments(arguments, figures[0].__doc__ if len(figures) == 1 else None)
    try:
        run(figures, options)
    except ResultError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(
            f"error: {error.filename or options.output}: {error.strerror}",
            file=sys.stderr,
        )
        return 4
    return 0


def run(figures, options):
    style.begin()
    results = [Result(path) for path in options.results]
    options.pieces = read_vocabulary(options.vocabulary)
    views = views_of(results, labels_for(options), options.group)
    options.output.mkdir(parents=True, exist_ok=True)
    drawn, skipped = [], []
    for module in figures:
        useful = [view for view in views if lack_of(view, module) is None]
        for view in views:
            if view not in useful:
                skipped.append(
                    f"{name_of(module)}: not drawn for {view.label}: {lack_of(view, module)}"
                )
        if useful:
            drawn.append(draw_one(module, useful, options))
    for text in skipped:
        print(text, file=sys.stderr)
    print(
        f"{len(drawn)} of {len(figures)} figures are in {options.output}",
        file=sys.stderr,
    )
    if len(figures) > 1:
        report.write_page(options.output / "index.html", drawn, views, skipped)


def labels_for(options):
    if options.labels is None:
        return labels_of(options.results)
    labels = [shorten(label.strip()) for label in options.labels.split(",")]
    if len(labels) != len(options.results):
        raise ResultError(2, f"--labels: {len(labels)} for {len(options.results)} results")
    return labels


def lack_of(view, module):
    """Why a figure can't be drawn of a view; None: it can."""
    missing = [name for name in module.NEEDS if name not in view]
    if missing:
        return f"it has no {', '.join(missing)}"
    if module.COUNTED and view.total(module.COUNTED) == 0:
        return f"its {module.COUNTED} is 0"
    return None


def draw_one(module, views, options):
    stem = name_of(module)
    drawing = module.draw(views, options)
    # The page needs a picture that browsers show in its place.
    kinds = options.kinds if options.kinds != ["pdf"] else ["png", "pdf"]
    for kind in kinds:
        style.save(drawing.figure, options.output / f"{stem}.{kind}", kind)
    report.write_table(options.output / f"{stem}.csv", drawing.rows)
    return stem, module.TITLE, drawing, kinds


def name_of(module):
    return pathlib.Path(module.__file__).stem


def run_alone():
    """For the last line of a figure's module."""
    sys.exit(main([sys.modules["__main__"]]))
