"""From which frequency bucket each state's guess comes (Figure 2 of the depth paper).

A bar for each observed state: the shares of positions whose lens top-1 is among the 10
most frequent tokens, the next 90, the next 900, or the rest. The last bar, set apart,
is the model's own output.
"""

import numpy

import captions
import driver
import style
from report import Drawing
from result import BUCKET_LABELS, BUCKET_NAMES, estimate, share_of_sum

TITLE = "Guesses by frequency bucket and state"
NEEDS = ("top1_count", "final_count")
COUNTED = "position_count"


def shares_of(view):
    """Estimates (states, buckets) of the lens, (buckets) of the output."""
    guesses = view.by_bucket(view.take("top1_count", "state", "band"))
    output = view.by_bucket(view.take("final_count", "final_band"))
    return estimate(share_of_sum, guesses), estimate(share_of_sum, output)


def draw_view(axes, view, views, guesses, output):
    x = style.state_axis(axes, view, views)
    unit = style.spacing(x)
    handles = style.stack(axes, x, guesses.value, style.BUCKET_COLOURS, 0.86 * unit)
    place = x[-1] + max(2.2 * unit, 0.05 * (x[-1] - x[0]))
    width = max(1.2 * unit, 0.025 * (x[-1] - x[0]))
    style.stack(axes, [place], output.value[None], style.BUCKET_COLOURS, width)
    axes.set_xlim(axes.get_xlim()[0], place + 0.5 * width + 0.3 * unit)
    axes.text(axes.get_xlim()[1], 102, "output", ha="right", va="bottom", size=style.SMALL)
    style.percent_axis(axes, "share of positions (%)")
    return handles


def rows_of(view, guesses, output):
    for s in range(len(view.states)):
        for b, bucket in enumerate(BUCKET_NAMES):
            yield row(view.at(s), bucket, guesses.value[s, b], guesses.half[s, b])
    end = {**view.key(), "state": "output", "depth": 1.0}
    for b, bucket in enumerate(BUCKET_NAMES):
        yield row(end, bucket, output.value[b], output.half[b])


def row(place, bucket, value, half):
    return {**place, "bucket": bucket, "share": value, "half_width_95": half}


def caption_of(views, first, halves):
    widest = [half[numpy.isfinite(half)].max(initial=0) for half in halves]
    widths = f"The widest 95 % interval of a share is ± {100 * max(widest):.1f} points"
    if not max(widest):
        widths = ""
    guesses, output = first
    return captions.join(
        "Share of positions whose lens top-1 falls into each frequency bucket, by "
        "state; the bar set apart is the model's own output.",
        captions.BUCKETS,
        f"Of the first state's guesses, {captions.percent(guesses.value[0, 0])} are "
        f"among the 10 most frequent tokens; of the output's, "
        f"{captions.percent(output.value[0])}.",
        widths and widths + " (delete-one-fold jackknife).",
        "How to read: where the lowest part shrinks from left to right, early states "
        "guess frequent words and later ones replace them.",
        captions.of_group(views),
    )


def draw(views, _options):
    figure, panels = style.view_grid(views, titles=1)
    shares = [shares_of(view) for view in views]
    rows = []
    for axes, view, (guesses, output) in zip(panels, views, shares, strict=True):
        handles = draw_view(axes, view, views, guesses, output)
        rows += rows_of(view, guesses, output)
    style.legend(figure, handles, BUCKET_LABELS, 4)
    halves = [estimate.half for pair in shares for estimate in pair]
    return Drawing(figure, caption_of(views, shares[0], halves), rows)


if __name__ == "__main__":
    driver.run_alone()
