"""How many of each state's guesses the output overturns, by frequency bucket of the guess
(Figure 3 of the depth paper): (top-1 - agree) / top-1.
"""

import numpy

import captions
import driver
import style
from report import Drawing
from result import BUCKET_LABELS, BUCKET_NAMES, FEW, Estimate, estimate, share

TITLE = "Overturned guesses by bucket and state"
NEEDS = ("top1_count", "agree_count")
COUNTED = "position_count"


def flips_of(view):
    """Estimate (states, buckets and all) of the share overturned; positions behind it."""
    parts = []
    for name in NEEDS:
        counts = view.by_bucket(view.take(name, "state", "band"))
        parts.append(numpy.concatenate([counts, counts.sum(-1, keepdims=True)], axis=-1))
    flips = estimate(lambda guessed, kept: share(guessed - kept, guessed), *parts)
    return flips, parts[0].sum(axis=0)


def draw_view(axes, view, views, flips, guessed):
    x = style.state_axis(axes, view, views)
    enough = guessed >= FEW
    value = numpy.where(enough, flips.value, numpy.nan)
    handles = [
        style.line(
            axes,
            x,
            Estimate(value[:, -1], flips.half[:, -1]),
            style.BLACK,
            linestyle="--",
        )
    ]
    for b, colour in enumerate(style.BUCKET_COLOURS):
        part = Estimate(value[:, b], flips.half[:, b])
        handles.append(style.line(axes, x, part, colour, style.BUCKET_MARKERS[b]))
    style.percent_axis(axes, "overturned by the output (%)")
    return handles


def rows_of(view, flips, guessed):
    for s in range(len(view.states)):
        for b, bucket in enumerate((*BUCKET_NAMES, "all")):
            yield {
                **view.at(s),
                "bucket": bucket,
                "positions": guessed[s, b],
                "share_overturned": flips.value[s, b],
                "half_width_95": flips.half[s, b],
            }


def draw(views, _options):
    figure, panels = style.view_grid(views)
    rows = []
    for axes, view in zip(panels, views, strict=True):
        flips, guessed = flips_of(view)
        handles = draw_view(axes, view, views, flips, guessed)
        rows += rows_of(view, flips, guessed)
    style.legend(figure, handles, ("all guesses", *BUCKET_LABELS), 5)
    caption = captions.join(
        "Share of a state's guesses (lens top-1), by frequency bucket of the guess, "
        "that are not what the model says in the end.",
        captions.BUCKETS,
        captions.of_bands(views),
        f"Points of fewer than {FEW} positions are left out here, not in the table.",
        "How to read: 100 % means that no guess of this bucket survives; a line that "
        "falls late belongs to guesses that are settled late. At the last state it is "
        "0, for that is the output. Overturned is changed, not improved.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
