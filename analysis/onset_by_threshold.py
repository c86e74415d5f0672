"""Mean state of onset for every threshold of the rank, by frequency bucket of the
output: the form of the depth paper's Figure 4, with frequency in the place of parts of
speech.
"""

from matplotlib.lines import Line2D

import captions
import driver
import style
from onset_by_band import KINDS, NEEDS, mean_state
from report import Drawing
from result import BUCKET_LABELS, BUCKET_NAMES, Estimate, estimate

TITLE = "Mean state of onset by threshold"
COUNTED = "position_count"


def curves_of(view, name):
    """Estimate (thresholds, buckets) of the mean state of onset."""
    counts = view.by_bucket(view.take(name, "threshold", "final_band", "state"), axis=2)
    return estimate(lambda c: mean_state(c, view.states), counts)


def draw_curve(axes, thresholds, mean, bucket, kind):
    colour = style.BUCKET_COLOURS[bucket]
    if kind == 0:
        axes.plot(mean.value, thresholds, color=colour, linestyle=":", linewidth=0.9)
        return
    low, high = mean.value - mean.half, mean.value + mean.half
    axes.fill_betweenx(thresholds, low, high, color=colour, alpha=0.2, linewidth=0)
    marker = style.BUCKET_MARKERS[bucket]
    axes.plot(mean.value, thresholds, color=colour, marker=marker, markevery=3, clip_on=False)


def draw_view(axes, view, views):
    thresholds = view.result.values("threshold")
    scale = 1 / view.blocks if style.by_depth(views) and view.blocks else 1
    for kind, name in enumerate(NEEDS):
        mean = curves_of(view, name)
        for b in range(len(BUCKET_NAMES)):
            part = Estimate(mean.value[:, b] * scale, mean.half[:, b] * scale)
            draw_curve(axes, thresholds, part, b, kind)
            for t, k in enumerate(thresholds):
                yield {
                    **view.key(),
                    "bucket": BUCKET_NAMES[b],
                    "onset": KINDS[kind],
                    "threshold": k,
                    "mean_state": mean.value[t, b],
                    "half_width_95": mean.half[t, b],
                }


def dress(axes, view, views):
    axes.set_yscale("log")
    axes.set_ylabel("rank threshold")
    if style.by_depth(views):
        axes.set_xlim(0, 1)
        axes.set_xlabel("mean depth of onset")
    else:
        axes.set_xticks(style.state_ticks([0, view.blocks]))
        axes.set_xlim(0, max(view.blocks, 1))
        axes.set_xlabel("mean state of onset")


def draw(views, _options):
    figure, panels = style.view_grid(
        views,
        width=style.SINGLE if len(views) == 1 else style.DOUBLE,
        height=2.3,
        legend=2,
    )
    rows = []
    for axes, view in zip(panels, views, strict=True):
        rows += draw_view(axes, view, views)
        dress(axes, view, views)
    handles = [
        Line2D([], [], color=colour, marker=marker)
        for colour, marker in zip(style.BUCKET_COLOURS, style.BUCKET_MARKERS, strict=True)
    ]
    handles += [Line2D([], [], color=style.GREY, linestyle=kind) for kind in (":", "-")]
    style.legend(figure, handles, (*BUCKET_LABELS, *KINDS), 3)
    caption = captions.join(
        "Mean state at which the model's final top-1 comes within a rank, for every "
        "threshold, by its frequency bucket: solid for good, dotted for the first "
        "time.",
        captions.of_bands(views, "Bands of the solid lines"),
        captions.BUCKETS,
        "How to read: each curve falls to the left, for a loose threshold is met "
        "earlier; the gap between curves is the lead of frequent words at that "
        "threshold.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
