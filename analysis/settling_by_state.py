"""How settled guesses are at each state: the share of lens top-1 that are the model's own,
and the share that differ from the state before.
"""

import math

import numpy
from matplotlib.lines import Line2D

import captions
import driver
import style
from report import Drawing
from result import estimate, share

TITLE = "Agreement with the output and change from state to state"
NEEDS = ("top1_count", "agree_count", "stay_count")
COUNTED = "position_count"


def agreement_of(view):
    """Estimate (states) of the share of guesses that are the output's."""
    return estimate(share, view.take("agree_count", "state"), view.take("top1_count", "state"))


def changes_of(view):
    """(states): share of guesses unlike those of the observed state before."""
    stay = view.take("stay_count", "state")[0]
    all_of_them = view.take("top1_count", "state").sum(axis=0)
    changes = share(all_of_them - stay, all_of_them)
    changes[0] = numpy.nan
    return changes


def add_legend(figure, views, handles):
    """One result: what its lines are. Several: that, and above it which is which."""
    colour = style.VIEW_COLOURS[0] if len(views) == 1 else style.GREY
    names = ["is the output's", "differs from the state before"]
    kinds = [Line2D([], [], color=colour, linestyle=line) for line in ("-", "--")]
    if len(views) == 1:
        style.legend(figure, kinds, names, 2)
        return
    labels = [view.label for view in views]
    style.legend(figure, handles + kinds, labels + names, 4)


def draw_view(axes, view, views, number, agreement, changes):
    x = style.positions(view, views)
    colour = style.VIEW_COLOURS[number % len(style.VIEW_COLOURS)]
    marker = style.VIEW_MARKERS[number % len(style.VIEW_MARKERS)]
    axes.plot(x, changes * 100, color=colour, linestyle="--", linewidth=0.9)
    return style.line(axes, x, agreement, colour, marker)


def rows_of(view, agreement, changes):
    for s in range(len(view.states)):
        yield {
            **view.at(s),
            "share_agreeing": agreement.value[s],
            "half_width_95": agreement.half[s],
            "share_changed": changes[s],
        }


def draw(views, _options):
    is_one = len(views) == 1
    width = style.SINGLE if is_one else style.DOUBLE
    lines = 1 if is_one else 1 + math.ceil(len(views) / 4)
    figure, panels = style.grid(1, 1, width=width, height=2.1, legend=lines, titles=0)
    axes = panels[0, 0]
    rows, handles = [], []
    for v, view in enumerate(views):
        agreement, changes = agreement_of(view), changes_of(view)
        handles.append(draw_view(axes, view, views, v, agreement, changes))
        rows += rows_of(view, agreement, changes)
    style.state_axis(axes, min(views, key=lambda view: view.states[0]), views)
    style.percent_axis(axes, "share of positions (%)")
    add_legend(figure, views, handles)
    caption = captions.join(
        "Share of positions whose lens top-1 is the model's own (solid), and whose "
        "lens top-1 is not that of the observed state before (dashed).",
        captions.of_bands(views),
        captions.STATES,
        "How to read: while dashed is high, guesses still change with every block; "
        "where solid rises fastest, decisions are made.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
