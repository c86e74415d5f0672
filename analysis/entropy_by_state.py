"""How uncertain each state is: the distribution of the lens's entropy over positions as a
heat map with its mean, and the mean by frequency bucket of the model's own top-1.
"""

import math

import numpy
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D

import captions
import driver
import style
from report import Drawing
from result import BUCKET_LABELS, BUCKET_NAMES, Estimate, estimate, share, share_of_sum

TITLE = "Entropy by state"
NEEDS = ("entropy_count", "entropy_sum", "entropy_members")
COUNTED = "position_count"

DARKEST = 1000  # shares below the largest one divided by this look alike
COARSE = 10  # bins of 0.02 nats that make a cell of the heat map


def means_of(view):
    """Estimate (states, buckets and all) of the mean entropy in nats."""
    parts = []
    for name in NEEDS[1:]:
        sums = view.by_bucket(view.take(name, "state", "final_band"))
        parts.append(numpy.concatenate([sums, sums.sum(-1, keepdims=True)], axis=-1))
    return estimate(share, *parts)


def histogram_of(view):
    """Shares (states, cells) of positions, and the borders of the cells in nats."""
    counts = view.take("entropy_count", "state", "entropy_bin")[0]
    bounds = view.result.values("entropy_bin_bounds")
    starts = numpy.arange(0, counts.shape[1], COARSE)
    borders = numpy.append(bounds[starts, 0], bounds[-1, 1])
    return share_of_sum(numpy.add.reduceat(counts, starts, axis=1)), borders


def draw_heat(axes, view, views, mean, top):
    x = style.state_axis(axes, view, views)
    shares, borders = histogram_of(view)
    shown = numpy.where(shares > 0, shares * 100, numpy.nan).T
    mesh = axes.pcolormesh(
        style.edges(x),
        borders,
        shown,
        cmap=style.HEAT,
        norm=LogNorm(top / DARKEST, top),
        rasterized=True,
    )
    axes.plot(x, mean.value[:, -1], color=style.BLACK, path_effects=style.outlined())
    axes.set_ylim(0, borders[-1])
    axes.set_ylabel("entropy (nats)")
    return mesh


def draw_means(axes, view, views, mean):
    x = style.state_axis(axes, view, views)
    limits = (0, math.inf)
    for b, colour in enumerate(style.BUCKET_COLOURS):
        part = Estimate(mean.value[:, b], mean.half[:, b])
        style.line(axes, x, part, colour, style.BUCKET_MARKERS[b], 1, limits)
    all_together = Estimate(mean.value[:, -1], mean.half[:, -1])
    style.line(axes, x, all_together, style.BLACK, None, 1, limits)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("mean entropy (nats)")


def rows_of(view, mean):
    shares, borders = histogram_of(view)
    for s in range(len(view.states)):
        for b, bucket in enumerate((*BUCKET_NAMES, "all")):
            yield {
                **view.at(s),
                "what": "mean",
                "bucket": bucket,
                "from_nats": math.nan,
                "to_nats": math.nan,
                "value": mean.value[s, b],
                "half_width_95": mean.half[s, b],
            }
        for cell in numpy.flatnonzero(shares[s] > 0):
            yield {
                **view.at(s),
                "what": "share",
                "bucket": "all",
                "from_nats": borders[cell],
                "to_nats": borders[cell + 1],
                "value": shares[s, cell],
                "half_width_95": math.nan,
            }


def handles_of():
    yield Line2D([], [], color=style.BLACK)
    for colour, marker in zip(style.BUCKET_COLOURS, style.BUCKET_MARKERS, strict=True):
        yield Line2D([], [], color=colour, marker=marker)


def draw(views, _options):
    figure, panels = style.grid(len(views), 2, gap=1.35, titles=style.title_lines(views))
    top = 100 * max(numpy.nanmax(histogram_of(view)[0]) for view in views)
    rows = []
    for (heat, lines), view in zip(panels, views, strict=True):
        mean = means_of(view)
        mesh = draw_heat(heat, view, views, mean, top)
        style.colour_bar(figure, heat, mesh, "share of positions (%)")
        draw_means(lines, view, views, mean)
        style.set_title(heat, style.row_title(views, view, "all positions"))
        style.set_title(lines, style.row_title(views, view, "by bucket of the output"))
        rows += rows_of(view, mean)
    style.legend(figure, list(handles_of()), ("mean of all", *BUCKET_LABELS), 5)
    style.share_limits(panels[:, 0])
    style.share_limits(panels[:, 1])
    caption = captions.join(
        "Entropy of the lens distribution in nats. Left: share of positions in cells "
        "of 0.2 nats (colour, logarithmic; white: none) and the mean (line); "
        "the axis ends at the logarithm of the vocabulary's size. Right: mean by "
        "frequency bucket of the model's own top-1.",
        captions.of_bands(views, "Shaded bands on the right"),
        captions.BUCKETS,
        "How to read: a fall from left to right is a distribution that sharpens; two "
        "bright ridges in one column are two kinds of positions.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
