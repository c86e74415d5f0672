"""The same share of overturned guesses as flips_by_state, for every frequency band that
the file keeps: a heat map of bands over states.
"""

import numpy

import captions
import driver
import style
from report import Drawing
from result import FEW, share

TITLE = "Overturned guesses by frequency band and state"
NEEDS = ("top1_count", "agree_count")
COUNTED = "position_count"


def flips_of(view):
    """(states, bands): share overturned and positions."""
    guessed, kept = (view.take(name, "state", "band").sum(axis=0) for name in NEEDS)
    return share(guessed - kept, guessed), guessed


def name_band(band):
    low, high = int(band[0]), int(band[1]) - 1
    if low == 0:
        return "unranked"
    return str(low) if low == high else f"{low}–{high}"


def order_of(view):
    """Bands from the most frequent to the unranked, which the file has first."""
    bands = numpy.arange(len(view.result.bands))
    return numpy.concatenate([bands[1:], bands[:1]])


def draw_view(axes, view, views, flips, guessed):
    x = style.state_axis(axes, view, views)
    order = order_of(view)
    shown = numpy.where(guessed >= FEW, flips * 100, numpy.nan)[:, order].T
    rows = numpy.arange(len(order) + 1) - 0.5
    axes.set_facecolor(style.PALE)
    mesh = axes.pcolormesh(
        style.edges(x), rows, shown, cmap=style.HEAT, vmin=0, vmax=100, rasterized=True
    )
    names = [name_band(view.result.bands[band]) for band in order]
    borders = numpy.flatnonzero(numpy.diff(view.result.bucket_of_band[order])) + 0.5
    axes.hlines(borders, *style.edges(x)[[0, -1]], color="white", linewidth=1)
    axes.set_yticks(range(len(names)), names, size=6)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_ylabel("frequency ranks of the guess")
    axes.set_xlim(style.edges(x)[[0, -1]])
    return mesh


def rows_of(view, flips, guessed):
    for s in range(len(view.states)):
        for band in order_of(view):
            yield {
                **view.at(s),
                "band": name_band(view.result.bands[band]),
                "positions": guessed[s, band],
                "share_overturned": flips[s, band],
            }


def draw(views, _options):
    height = max(1.6, 0.115 * max(len(view.result.bands) for view in views))
    figure, panels = style.view_grid(
        views, height=height, legend=0, left=0.95, right=0.75, gap=1.05
    )
    rows = []
    for axes, view in zip(panels, views, strict=True):
        flips, guessed = flips_of(view)
        mesh = draw_view(axes, view, views, flips, guessed)
        rows += rows_of(view, flips, guessed)
    style.colour_bar(figure, panels[-1], mesh, "overturned by the output (%)")
    caption = captions.join(
        "Share of a state's guesses that the output overturns, by frequency band of "
        "the guess (frequent at the top); white lines divide the four buckets.",
        f"Grey: fewer than {FEW} positions, which only the table has.",
        "How to read: down a column, whether rare guesses hold better than frequent "
        "ones; along a row, when guesses of one frequency begin to hold.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
