"""Where the model's own top-1 stands among the lens's logits at each state: quantiles
of its rank, and the share of positions with a rank of at most k.
"""

import numpy
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import captions
import driver
import style
from report import Drawing
from result import geometric_centres, quantiles, share

TITLE = "Rank of the final choice by state"
NEEDS = ("rank_count",)
COUNTED = "position_count"

CHANCES = (0.05, 0.25, 0.5, 0.75, 0.95)
THRESHOLDS = (1, 5, 10, 64, 1024)  # where bins end
COLOURS = (style.BLUE, style.SKY, style.GREEN, style.ORANGE, style.VERMILLION)
MARKERS = ("o", "s", "^", "D", "v")


def shares_of(counts, bounds):
    """(states, thresholds): share of positions with at most such a rank."""
    within = [counts[:, bounds[:, 1] <= k + 1].sum(axis=1) for k in THRESHOLDS]
    return share(numpy.stack(within, axis=1), counts.sum(axis=1, keepdims=True))


def draw_quantiles(axes, view, views, spread):
    x = style.state_axis(axes, view, views)
    for low, high, alpha in ((0, 4, 0.18), (1, 3, 0.35)):
        axes.fill_between(
            x,
            spread[:, low],
            spread[:, high],
            color=style.SKY,
            alpha=alpha,
            linewidth=0,
        )
    axes.plot(x, spread[:, 2], color=style.BLUE)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.9)
    axes.set_ylabel("rank of the output's top-1")


def draw_shares(axes, view, views, shares):
    x = style.state_axis(axes, view, views)
    for k, colour in enumerate(COLOURS):
        axes.plot(
            x,
            shares[:, k] * 100,
            color=colour,
            marker=MARKERS[k],
            markevery=max(1, len(x) // 12),
            clip_on=False,
        )
    style.percent_axis(axes, "share of positions (%)")


def rows_of(view, spread, shares):
    for s in range(len(view.states)):
        yield {
            **view.at(s),
            **{
                f"rank_p{100 * chance:02.0f}": q
                for chance, q in zip(CHANCES, spread[s], strict=True)
            },
            **{f"share_rank_to_{k}": v for k, v in zip(THRESHOLDS, shares[s], strict=True)},
        }


def handles_of():
    yield Line2D([], [], color=style.BLUE)
    yield Patch(color=style.SKY, alpha=0.53)
    yield Patch(color=style.SKY, alpha=0.18)
    for colour, marker in zip(COLOURS, MARKERS, strict=True):
        yield Line2D([], [], color=colour, marker=marker)


def draw(views, _options):
    figure, panels = style.grid(len(views), 2, titles=int(len(views) > 1), left=0.55, gap=0.65)
    rows = []
    for (left, right), view in zip(panels, views, strict=True):
        counts = view.take("rank_count", "state", "rank_bin")[0]
        bounds = view.result.values("rank_bin_bounds")
        spread = quantiles(counts, geometric_centres(bounds), CHANCES)
        shares = shares_of(counts, bounds)
        draw_quantiles(left, view, views, spread)
        draw_shares(right, view, views, shares)
        if len(views) > 1:
            style.set_title(left, view.label)
            style.set_title(right, view.label)
        rows += rows_of(view, spread, shares)
    style.share_limits(panels[:, 0])
    shares = ("rank 1", *(f"≤ {k}" for k in THRESHOLDS[1:]))
    names = ("median", "25–75 %", "5–95 %", *shares)
    style.legend(figure, list(handles_of()), names, len(names))
    caption = captions.join(
        "Left: rank of the model's final top-1 among the lens's logits, by state: "
        "median, quartiles, and 5 to 95 % of positions (ranks above 64 to within a "
        "tenth). Right: share of positions at which that rank is at most 1, 5, 10, "
        "64, 1024.",
        "Ranks are not kept by fold, so there are no error bands.",
        "How to read: the line for rank 1 is how often a state already says what the "
        "model will say; the others are how often the answer is near.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
