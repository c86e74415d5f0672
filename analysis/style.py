"""How figures look: sizes as a paper prints them, fonts, colours that colour-blind
readers can tell apart (Okabe and Ito's eight; cividis for heat maps), axes over states,
and files that are the same bytes every time.
"""

import math

import matplotlib
import numpy
from matplotlib import patheffects
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

SINGLE, DOUBLE = 3.3, 6.9  # inches: width of one column and of two
SMALL = 7

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#8A8A8A", "#DDDDDD"
BUCKET_COLOURS = (BLUE, SKY, ORANGE, VERMILLION)
BUCKET_MARKERS = ("o", "s", "^", "D")
VIEW_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
VIEW_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HEAT = "cividis"
# The lighter half: black text can be read on all of it.
PAPER_HEAT = LinearSegmentedColormap.from_list("paper", ["#FFFFFF", "#FFF1C9", ORANGE])

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "savefig.dpi": 300,
    "svg.hashsalt": "lmdepth",
    "pdf.fonttype": 42,
}
# Stamps that would make two drawings of one result differ.
NO_STAMPS = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}


def begin():
    """Forgets the user's own settings: figures look alike everywhere."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(SETTINGS)


def save(figure, path, kind):
    figure.savefig(path, format=kind, metadata=NO_STAMPS[kind])


# ---- panels ----


def grid(
    rows,
    columns,
    width=DOUBLE,
    height=2.0,
    legend=1,
    titles=1,
    left=0.5,
    right=0.12,
    gap=0.55,
):
    """A figure of rows x columns panels, each `height` inches high, with `legend` lines
    of legend above and `titles` lines of title: (figure, array of axes). All distances
    are in inches, so that text of a fixed size fits whatever the number of panels."""
    top, bottom, between = 0.08 + 0.17 * (legend + titles), 0.42, 0.52 + 0.17 * titles
    total = top + rows * height + (rows - 1) * between + bottom
    figure = Figure(figsize=(width, total))
    axes = figure.subplots(rows, columns, squeeze=False)
    panel = (width - left - right - (columns - 1) * gap) / columns
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / total,
        top=1 - top / total,
        wspace=gap / panel,
        hspace=between / height,
    )
    return figure, axes


def view_grid(views, **sizes):
    """A panel for each view, two in a row: (figure, list of axes as long as views)."""
    columns = min(len(views), 2)
    sizes = {"titles": int(len(views) > 1), **sizes}
    figure, axes = grid(math.ceil(len(views) / columns), columns, **sizes)
    for spare in axes.flat[len(views) :]:
        spare.set_visible(False)
    axes = list(axes.flat[: len(views)])
    if len(views) > 1:
        for panel, view in zip(axes, views, strict=True):
            set_title(panel, view.label)
    return figure, axes


def set_title(axes, text):
    axes.set_title(text).set_parse_math(False)


def row_title(views, view, text):
    """Title of a panel in a row of panels that belong to one view."""
    return f"{view.label}\n{text}" if len(views) > 1 else text


def title_lines(views):
    """Of row_title()."""
    return min(len(views), 2)


def share_limits(panels):
    """Panels that are compared have the same vertical axis."""
    limits = [axes.get_ylim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def legend(figure, handles, labels, columns):
    box = figure.legend(
        handles,
        labels,
        loc="upper center",
        ncol=columns,
        borderaxespad=0.15,
        columnspacing=1.4,
        handlelength=1.8,
        handletextpad=0.5,
    )
    for text in box.get_texts():
        text.set_parse_math(False)


def percent_axis(axes, text, top=100):
    axes.set_ylim(0, top)
    axes.set_ylabel(text)


# ---- the axis of states ----


def by_depth(views):
    """Models of different depth are laid over each other by the share of their depth."""
    return len({view.blocks for view in views}) > 1


def positions(view, views):
    return view.depths if by_depth(views) else view.states.astype(float)


def state_axis(axes, view, views):
    """Names the axis and sets its limits; positions of the states along it."""
    x = positions(view, views)
    if by_depth(views):
        margin = 0.6 * max(spacing(view.depths) for view in views)
        axes.set_xlim(-margin, 1 + margin)
        axes.set_xticks(DEPTH_TICKS)
        axes.set_xlabel("depth (0: embedding output, 1: last block)")
        return x
    axes.set_xlim(x[0] - 0.6 * spacing(x), x[-1] + 0.6 * spacing(x))
    axes.set_xticks(state_ticks(view.states))
    axes.set_xlabel(f"state (0: embedding output, {view.blocks}: last block)")
    return x


def spacing(x):
    """Smallest step: the width of a state."""
    return float(numpy.diff(x).min()) if len(x) > 1 else 1.0


DEPTH_TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)


def state_ticks(states):
    """First, last and round numbers between that leave room for both."""
    first, last = int(states[0]), int(states[-1])
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 1000) if (last - first) / s <= 7)
    inner = range((first // step + 1) * step, last, step)
    return sorted({first, last, *(tick for tick in inner if last - tick >= 0.6 * step)})


def edges(x):
    """Borders of the cells of a heat map around x: half way between."""
    if len(x) == 1:
        return numpy.array([x[0] - 0.5, x[0] + 0.5])
    middle = (x[1:] + x[:-1]) / 2
    return numpy.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])


def colour_bar(figure, axes, mesh, text):
    """A bar beside the last panel, in the right margin."""
    box = axes.get_position()
    width = figure.get_figwidth()
    place = [box.x1 + 0.08 / width, box.y0, 0.1 / width, box.height]
    bar = figure.colorbar(mesh, cax=figure.add_axes(place))
    bar.set_label(text)
    bar.outline.set_linewidth(0.4)
    if isinstance(mesh.norm, LogNorm):
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.ax.minorticks_off()
    return bar


# ---- marks ----


def line(axes, x, estimate, colour, marker=None, scale=100.0, limits=(0, 100), **more):
    """A line with its 95 % band; the handle for a legend."""
    value, half = estimate.value * scale, estimate.half * scale
    low, high = numpy.clip(value - half, *limits), numpy.clip(value + half, *limits)
    axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)
    settings = {
        "color": colour,
        "marker": marker,
        "markevery": marked(value),
        "clip_on": False,
    }
    return axes.plot(x, value, **{**settings, **more})[0]


def marked(value):
    """Places of markers: about twelve, and every point without neighbours, which a line
    alone would not show."""
    known = numpy.concatenate([[False], numpy.isfinite(value), [False]])
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    every = range(0, len(value), max(1, len(value) // 12))
    return sorted({*every, *map(int, numpy.flatnonzero(alone))})


def stack(axes, x, shares, colours, width):
    """Bars of shares (bars, parts), the first part lowest; handles for a legend."""
    floor = numpy.zeros(len(x))
    handles = []
    for part, colour in zip(shares.T * 100, colours, strict=True):
        style = {"color": colour, "edgecolor": "white", "linewidth": 0.3}
        handles.append(axes.bar(x, part, width, bottom=floor, **style))
        floor = floor + numpy.nan_to_num(part)
    return handles


def outlined(width=2.2):
    """Makes a line visible on any colour."""
    return [patheffects.withStroke(linewidth=width, foreground="white")]
