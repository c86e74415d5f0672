"""The frequency table that ranks, bands and buckets come from: counts over ranks, and
which share each bucket has of the table's tokens, of the output and of the gold tokens.
"""

import numpy

import captions
import driver
import style
from report import Drawing
from result import (
    BUCKET_BORDERS,
    BUCKET_LABELS,
    BUCKET_NAMES,
    bucket_of_rank,
    one_a_file,
    share_of_sum,
)

TITLE = "Frequency table"
NEEDS = ("token_count", "token_rank", "final_count", "gold_band_count")
COUNTED = None

POINTS = 300  # at most so many ranks are drawn, evenly on the logarithmic axis


def table_of(view):
    """(ranks, counts) of ranked tokens, thinned out."""
    count = view.take("token_count", "token")[0]
    rank = view.take("token_rank", "token")[0]
    by_rank = count[numpy.argsort(rank, kind="stable")][numpy.count_nonzero(rank == 0) :]
    if len(by_rank) == 0:
        return numpy.zeros(0, int), numpy.zeros(0, int)
    wanted = numpy.geomspace(1, len(by_rank), POINTS).round().astype(int)
    ranks = numpy.unique(numpy.concatenate([wanted, numpy.arange(1, min(len(by_rank), 10) + 1)]))
    return ranks, by_rank[ranks - 1]


def coverage_of(view):
    """(table, output, gold; buckets) shares."""
    buckets = bucket_of_rank(view.take("token_rank", "token")[0])
    count = view.take("token_count", "token")[0]
    table = numpy.array([count[buckets == b].sum() for b in range(len(BUCKET_NAMES))])
    output = view.by_bucket(view.take("final_count", "final_band").sum(axis=0))
    gold = view.by_bucket(view.take("gold_band_count", "gold_band").sum(axis=0))
    return share_of_sum(numpy.stack([table, output, gold]))


ROWS = ("table", "output", "gold")


def draw_counts(axes, ranks, counts):
    shown = counts > 0
    axes.plot(ranks[shown], counts[shown], color=style.BLACK)
    axes.set_xscale("log")
    axes.set_yscale("log")
    if not shown.any():
        axes.set_ylim(0.8, 10)  # a logarithmic axis finds no limits of its own
        place = {"transform": axes.transAxes, "ha": "center"}
        axes.text(0.5, 0.5, "no token has a rank", **place)
    end = max(int(ranks[-1]) if len(ranks) else 1, 2)
    borders = [0.8, *(border + 0.5 for border in BUCKET_BORDERS), max(end * 1.2, 2000)]
    for b, colour in enumerate(style.BUCKET_COLOURS):
        axes.axvspan(borders[b], borders[b + 1], color=colour, alpha=0.18, linewidth=0)
    axes.set_xlim(borders[0], borders[-1])
    axes.set_xlabel("frequency rank")
    axes.set_ylabel("count of the token")


def draw_coverage(axes, coverage):
    handles, left = [], numpy.zeros(len(ROWS))
    for b, colour in enumerate(style.BUCKET_COLOURS):
        part = coverage[:, b] * 100
        look = {"color": colour, "edgecolor": "white", "linewidth": 0.4}
        handles.append(axes.barh(range(len(ROWS)), part, 0.7, left=left, **look))
        for row, width in enumerate(part):
            if width >= 8:
                dark = colour == style.BLUE
                axes.text(
                    left[row] + width / 2,
                    row,
                    f"{width:.0f}",
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                    size=style.SMALL,
                )
        left = left + numpy.nan_to_num(part)
    axes.set_yticks(range(len(ROWS)), ROWS)
    axes.set_ylim(len(ROWS) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("share (%)")
    return handles


def rows_of(view, ranks, counts, coverage):
    for rank, count in zip(ranks, counts, strict=True):
        yield {
            **view.key(),
            "what": "count",
            "of": "table",
            "rank": rank,
            "bucket": BUCKET_NAMES[int(bucket_of_rank(rank))],
            "value": count,
        }
    for r, name in enumerate(ROWS):
        for b, bucket in enumerate(BUCKET_NAMES):
            yield {
                **view.key(),
                "what": "share",
                "of": name,
                "rank": float("nan"),
                "bucket": bucket,
                "value": coverage[r, b],
            }


def draw(views, _options):
    views = one_a_file(views)
    figure, panels = style.grid(len(views), 2, height=1.9, titles=int(len(views) > 1), gap=0.75)
    rows = []
    for (left, right), view in zip(panels, views, strict=True):
        ranks, counts = table_of(view)
        coverage = coverage_of(view)
        draw_counts(left, ranks, counts)
        handles = draw_coverage(right, coverage)
        if len(views) > 1:
            style.set_title(left, view.name)
            style.set_title(right, view.name)
        rows += rows_of(view, ranks, counts, coverage)
    style.legend(figure, handles, BUCKET_LABELS, 4)
    caption = captions.join(
        "Left: count of each ranked token by its frequency rank, both logarithmic, "
        "with the buckets as background. Right: share of each bucket in the table's "
        "tokens, in the model's own top-1, and in the gold tokens.",
        captions.BUCKETS,
        "How to read: bars of output and gold beside the table's show whether the "
        "model says frequent words more often than the text has them.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
