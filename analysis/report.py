"""What comes out of a figure beside its picture: the table of the numbers it shows, and
the page that shows all figures of a run of the script.
"""

import csv
import dataclasses
import html
import math
import numbers

from result import one_a_file

PIXELS_AN_INCH = 130  # on the page; print sizes look small on a screen
PROVENANCE = (
    "title",
    "lmdepth_model",
    "lmdepth_inputs",
    "lmdepth_conventions",
    "lmdepth_arithmetic",
    "lmdepth_version",
    "lmdepth_fingerprint",
)


@dataclasses.dataclass
class Drawing:
    """A figure, what to say about it, and its numbers as a list of rows (dicts of equal
    keys)."""

    figure: object
    caption: str
    rows: list


def write_table(path, rows):
    """CSV with nine significant digits, which is what a share of counts is worth."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow([format_cell(cell) for cell in row.values()])


def format_cell(cell):
    if isinstance(cell, (str, numbers.Integral)):
        return str(cell)
    return "NaN" if math.isnan(cell) else f"{cell:.9g}"


# ---- the page ----

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.45 sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em;
       color: #111; background: #fff; }}
figure {{ margin: 2.5em 0; }}
img {{ max-width: 100%; height: auto; }}
figcaption {{ max-width: 46em; }}
table {{ border-collapse: collapse; font-size: 14px; }}
th, td {{ text-align: left; vertical-align: top; padding: .15em .8em .15em 0; }}
td {{ overflow-wrap: anywhere; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def write_page(path, drawn, views, skipped):
    """drawn: (stem, title, Drawing, kinds of files) of each figure; skipped: lines."""
    results = one_a_file(views)
    titles = [view.result.attributes.get("title", view.name) for view in results]
    title = titles[0] if len(titles) == 1 else "How models use their depth"
    parts = [contents(drawn)]
    parts += [section(*entry) for entry in drawn]
    if skipped:
        items = "".join(f"<li>{html.escape(text)}</li>" for text in skipped)
        parts.append(f"<h2>Not drawn</h2>\n<ul>{items}</ul>")
    parts.append("<h2>Where the numbers come from</h2>")
    parts += [provenance(view) for view in results]
    page = PAGE.format(title=html.escape(title), body="\n".join(parts))
    path.write_text(page, encoding="utf-8")


def contents(drawn):
    links = [f'<a href="#{stem}">{html.escape(title)}</a>' for stem, title, _, _ in drawn]
    return f"<p>{' · '.join(links)}</p>"


def section(stem, title, drawing, kinds):
    shown = "svg" if "svg" in kinds else "png"
    width = round(drawing.figure.get_figwidth() * PIXELS_AN_INCH)
    kinds = (*kinds, "csv")
    files = ", ".join(f'<a href="{stem}.{kind}">{kind}</a>' for kind in kinds)
    return (
        f'<figure id="{stem}">\n<h2>{html.escape(title)}</h2>\n'
        f'<img src="{stem}.{shown}" width="{width}" alt="{html.escape(title)}">\n'
        f"<figcaption>{html.escape(drawing.caption)} ({files})</figcaption>\n"
        "</figure>"
    )


def provenance(view):
    result = view.result
    rows = [("file", result.path.name), *counts_of(result)]
    attributes = result.attributes
    rows += [
        (name.removeprefix("lmdepth_"), attributes[name])
        for name in PROVENANCE
        if name in attributes
    ]
    cells = "\n".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    job = html.escape(attributes.get("lmdepth_job", ""))
    details = f"<details><summary>job</summary><pre>{job}</pre></details>" if job else ""
    return f"<h3>{html.escape(view.name)}</h3>\n<table>{cells}</table>\n{details}"


def counts_of(result):
    """What a reader must know before trusting a figure."""
    total = {name: int(result.read(name)[0].sum()) for name in COUNTERS if name in result}
    records = result.read("record_count")[0]
    fates = [f"{n} {fate}" for fate, n in zip(result.fates, records, strict=True) if n]
    yield "positions", total["position_count"]
    yield "with a gold token", total["gold_position_count"]
    yield "left out: output not finite", total["unusable_position_count"]
    yield "readouts not finite, left out at their state", total["nonfinite_count"]
    yield "records", ", ".join(fates) or "none"
    yield "folds", result.folds
    yield "groups", ", ".join(result.groups)
    yield "lenses", ", ".join(result.lenses)
    yield "states observed", f"{len(result.states)} of {result.blocks + 1}"


COUNTERS = (
    "position_count",
    "gold_position_count",
    "unusable_position_count",
    "nonfinite_count",
)
