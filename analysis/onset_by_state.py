"""Which share of positions has come within the best k tokens by each state, by frequency
bucket of the output: for good (solid), and for the first time (dotted).
"""

from matplotlib.lines import Line2D

import captions
import driver
import style
from onset_by_band import KINDS, NEEDS, THRESHOLDS, onsets_of, places_of
from report import Drawing
from result import BUCKET_LABELS, BUCKET_NAMES, estimate, share

TITLE = "Share of positions at onset by state"
COUNTED = "position_count"


def reached(counts):
    """(buckets, states): share of positions whose onset is here or before."""
    return share(counts.cumsum(axis=-1), counts.sum(axis=-1, keepdims=True))


def draw_panel(axes, view, views, place):
    x = style.state_axis(axes, view, views)
    for kind, name in enumerate(NEEDS):
        by_state = estimate(reached, onsets_of(view, name, place))
        for b, colour in enumerate(style.BUCKET_COLOURS):
            if kind == 1:
                part = type(by_state)(by_state.value[b], by_state.half[b])
                style.line(axes, x, part, colour, style.BUCKET_MARKERS[b])
            else:
                axes.plot(
                    x,
                    by_state.value[b] * 100,
                    color=colour,
                    linestyle=":",
                    linewidth=0.9,
                )
            for s in range(len(x)):
                yield {
                    **view.at(s),
                    "bucket": BUCKET_NAMES[b],
                    "onset": KINDS[kind],
                    "share_reached": by_state.value[b, s],
                    "half_width_95": by_state.half[b, s],
                }


def handles_of():
    for colour, marker in zip(style.BUCKET_COLOURS, style.BUCKET_MARKERS, strict=True):
        yield Line2D([], [], color=colour, marker=marker)
    yield Line2D([], [], color=style.GREY, linestyle=":", linewidth=0.9)
    yield Line2D([], [], color=style.GREY)


def draw(views, _options):
    thresholds = [k for k in THRESHOLDS if all(k in places_of(view) for view in views)]
    figure, panels = style.grid(
        len(views),
        len(thresholds),
        height=1.9,
        gap=0.35,
        titles=style.title_lines(views),
    )
    rows = []
    for line, view in zip(panels, views, strict=True):
        for axes, k in zip(line, thresholds, strict=True):
            text = f"rank ≤ {k}" if k > 1 else "rank 1"
            style.set_title(axes, style.row_title(views, view, text))
            found = draw_panel(axes, view, views, places_of(view)[k])
            rows += [{"threshold": k, **row} for row in found]
            style.percent_axis(axes, "share of positions (%)" if axes is line[0] else "")
            axes.set_xlabel("depth" if style.by_depth(views) else "state")
    style.legend(figure, list(handles_of()), (*BUCKET_LABELS, *KINDS), 6)
    caption = captions.join(
        "Share of positions whose final top-1 has come within the given rank by each "
        "state, by its frequency bucket: solid for good, dotted for the first time.",
        captions.of_bands(views, "Bands of the solid lines"),
        captions.BUCKETS,
        captions.STATES,
        "How to read: the state at which a solid line crosses 50 % is where half of "
        "the decisions of that bucket stand.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
