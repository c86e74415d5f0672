"""What became of the records: used, split, cut, not sampled, or left out, and why."""

from matplotlib.ticker import MaxNLocator

import captions
import driver
import style
from report import Drawing
from result import one_a_file

TITLE = "Records"
NEEDS = ("record_count",)
COUNTED = None


def draw_view(axes, fates, counts):
    axes.barh(range(len(fates)), counts, 0.7, color=style.BLUE)
    beside = {"textcoords": "offset points", "va": "center", "size": 6}
    for place, count in enumerate(counts):
        axes.annotate(f"{count:,}", (count, place), (2, 0), **beside)
    axes.set_yticks(range(len(fates)), fates, size=6.5)
    axes.set_ylim(len(fates) - 0.5, -0.5)
    axes.set_xlim(0, max(int(counts.max()), 1))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("records")


def draw(views, _options):
    views = one_a_file(views)
    width = style.SINGLE * min(len(views), 2)
    sizes = {"height": 1.5, "legend": 0, "left": 0.8, "right": 0.45, "gap": 1.3}
    figure, panels = style.view_grid(views, width=width, **sizes)
    rows = []
    for axes, view in zip(panels, views, strict=True):
        fates, counts = view.result.fates, view.take("record_count", "fate")[0]
        style.set_title(axes, view.name if len(views) > 1 else "")
        draw_view(axes, fates, counts)
        for fate, count in zip(fates, counts, strict=True):
            rows.append({**view.key(), "fate": fate, "records": count})
    caption = captions.join(
        "Records by what became of them. used: whole; split or cut: longer than a "
        "window; unsampled: left out by chance as the job asks; the others could not be "
        "used.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
