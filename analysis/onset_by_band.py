"""At which state the model's own top-1 comes within the best k tokens, by its frequency
bucket: for the first time, and for good. Boxes are quartiles, whiskers 5 and 95 %,
points means.
"""

import numpy
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import captions
import driver
import style
from report import Drawing
from result import BUCKET_NAMES, estimate, quantiles, share

TITLE = "State of onset by bucket"
NEEDS = ("first_count", "onset_count")
COUNTED = "position_count"

THRESHOLDS = (1, 5, 10)
CHANCES = (0.05, 0.25, 0.5, 0.75, 0.95)
KINDS = ("first time", "for good")
COLOURS = (style.SKY, style.BLUE)


def places_of(view, thresholds=THRESHOLDS):
    """Places on the threshold axis of those of `thresholds` that the file has."""
    have = [int(k) for k in view.result.values("threshold")]
    return {k: have.index(k) for k in thresholds if k in have}


def onsets_of(view, name, place):
    """(buckets, states) of counts by fold at one threshold."""
    counts = view.take(name, "threshold", "final_band", "state")[:, place]
    return view.by_bucket(counts, axis=1)


def mean_state(counts, states):
    return share((counts * states).sum(axis=-1), counts.sum(axis=-1))


def draw_box(axes, place, box, mean, half, colour):
    """A box of five quantiles and a mean with its 95 % interval."""
    low, first, middle, third, high = box
    for ends in ((low, first), (third, high)):
        axes.plot([place, place], ends, color=style.GREY, linewidth=0.7, zorder=1)
    look = {"color": colour, "edgecolor": colour, "alpha": 0.55, "linewidth": 0.6}
    axes.bar(place, third - first, 0.34, bottom=first, zorder=2, **look)
    look = {"color": style.VERMILLION, "linewidth": 1.6}
    axes.plot([place - 0.17, place + 0.17], [middle] * 2, zorder=3, **look)
    look = {"color": style.BLACK, "marker": "o", "markersize": 2.6, "linewidth": 0.8}
    bar = half if numpy.isfinite(half) else None
    axes.errorbar(place, mean, bar, capsize=1.8, zorder=4, **look)


def draw_panel(axes, view, views, place):
    """Both kinds of onset at one threshold; rows of the table."""
    scale = 1 / view.blocks if style.by_depth(views) and view.blocks else 1
    for kind, name in enumerate(NEEDS):
        counts = onsets_of(view, name, place)
        mean = estimate(lambda c: mean_state(c, view.states), counts)
        boxes = quantiles(counts.sum(axis=0), view.states, CHANCES)
        for b, bucket in enumerate(BUCKET_NAMES):
            draw_box(
                axes,
                b + 0.4 * kind - 0.2,
                boxes[b] * scale,
                mean.value[b] * scale,
                mean.half[b] * scale,
                COLOURS[kind],
            )
            yield {
                "bucket": bucket,
                "onset": KINDS[kind],
                "positions": counts[:, b].sum(),
                "mean_state": mean.value[b],
                "half_width_95": mean.half[b],
                **{
                    f"state_p{100 * chance:02.0f}": q
                    for chance, q in zip(CHANCES, boxes[b], strict=True)
                },
            }


def dress(axes, view, views, is_first):
    is_depth = style.by_depth(views)
    axes.set_xticks(range(len(BUCKET_NAMES)), BUCKET_NAMES, size=6.5)
    axes.set_xlim(-0.6, len(BUCKET_NAMES) - 0.4)
    axes.set_yticks(style.DEPTH_TICKS if is_depth else style.state_ticks(view.states))
    top = 1 if is_depth else view.states[-1]
    axes.set_ylim(-0.02 * top, 1.03 * top)
    axes.set_xlabel("frequency bucket of the output")
    if is_first:
        axes.set_ylabel("depth of onset" if is_depth else "state of onset")


def draw(views, _options):
    thresholds = [k for k in THRESHOLDS if all(k in places_of(view) for view in views)]
    figure, panels = style.grid(
        len(views), len(thresholds), gap=0.4, titles=style.title_lines(views)
    )
    rows = []
    for line, view in zip(panels, views, strict=True):
        for axes, k in zip(line, thresholds, strict=True):
            text = f"rank ≤ {k}" if k > 1 else "rank 1"
            style.set_title(axes, style.row_title(views, view, text))
            found = draw_panel(axes, view, views, places_of(view)[k])
            rows += [{**view.key(), "threshold": k, **row} for row in found]
            dress(axes, view, views, axes is line[0])
    handles = [Patch(color=colour, alpha=0.55) for colour in COLOURS]
    handles.append(Line2D([], [], color=style.VERMILLION, linewidth=1.6))
    handles.append(Line2D([], [], color=style.BLACK, marker="o", linestyle="none"))
    style.legend(figure, handles, (*KINDS, "median", "mean"), 4)
    intervals = captions.of_bands(views, "Bars at the means")
    caption = captions.join(
        "State at which the model's own final top-1 reaches a rank among the lens's "
        "logits, for the first time and for good (from there to the last state), by "
        "its frequency bucket. Boxes: quartiles with the median in red; whiskers: 5 "
        "and 95 %; points: means.",
        intervals,
        captions.BUCKETS,
        "How to read: lower is earlier. A gap between the two kinds means that early "
        "hits are lost again. States before the first observed one count as it.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
