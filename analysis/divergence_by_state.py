"""How far each state's distribution is from the output: Kullback-Leibler divergence (mean
and quantiles), and the surprisal of the gold token.
"""

import numpy
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import captions
import driver
import style
from report import Drawing
from result import estimate, quantiles, share

TITLE = "Divergence from the output by state"
NEEDS = ("kl_count", "kl_sum", "kl_members")
COUNTED = "position_count"

CHANCES = (0.05, 0.25, 0.5, 0.75, 0.95)
SURPRISAL = ("surprisal_sum", "surprisal_members")
INFINITY = float("inf")


def mean_of(view, names):
    """Estimate (states) of a mean in nats; NaN everywhere when the file has none."""
    if any(name not in view for name in names):
        nothing = numpy.zeros((1, len(view.states)))
        return estimate(share, nothing, nothing)
    return estimate(share, *(view.take(name, "state") for name in names))


def quantiles_of(view):
    """(states, chances) in nats, good to a bin, which is an eighth of the value."""
    counts = view.take("kl_count", "state", "kl_bin")[0]
    centres = view.result.values("kl_bin").astype(float)
    centres[0] = 0  # below 1e-6: what a logarithmic axis can't show
    return quantiles(counts, centres, CHANCES)


def draw_divergence(axes, view, views, mean, spread):
    x = style.state_axis(axes, view, views)
    axes.set_yscale("log")
    axes.set_ylabel("KL to the output (nats)")
    if not (spread > 0).any():
        place = {"transform": axes.transAxes, "ha": "center"}
        axes.text(0.5, 0.5, "0 at all observed states", **place)
        return
    shown = numpy.where(spread > 0, spread, numpy.nan)
    floor = numpy.nanmin(shown, initial=1e-2)
    shown = numpy.where(spread > 0, spread, floor)
    shown[spread[:, -1] == 0] = numpy.nan  # the last state: all of it is 0
    for low, high, alpha in ((0, 4, 0.18), (1, 3, 0.35)):
        axes.fill_between(
            x, shown[:, low], shown[:, high], color=style.SKY, alpha=alpha, linewidth=0
        )
    axes.plot(x, shown[:, 2], color=style.BLUE)
    value = numpy.where(mean.value > 0, mean.value, numpy.nan)
    axes.errorbar(
        x,
        value,
        numpy.nan_to_num(mean.half),
        color=style.VERMILLION,
        marker="o",
        markersize=2.2,
        linestyle="none",
        linewidth=0.8,
    )


def draw_surprisal(axes, view, views, mean):
    x = style.state_axis(axes, view, views)
    if numpy.isfinite(mean.value[-1]):
        axes.axhline(mean.value[-1], color=style.GREY, linewidth=0.7, linestyle=":")
    style.line(axes, x, mean, style.GREEN, "s", 1, (0, INFINITY))
    axes.set_ylabel("surprisal of gold (nats)")


def scale_surprisals(panels, rows):
    """Logarithmic where the first states would leave no room for the others."""
    means = [row["surprisal_mean"] for row in rows if row["surprisal_mean"] > 0]
    for axes in panels:
        if means and max(means) > 10 * min(means):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
        else:
            axes.set_ylim(bottom=0)
    style.share_limits(panels)


def rows_of(view, mean, spread, surprisal):
    for s in range(len(view.states)):
        yield {
            **view.at(s),
            "kl_mean": mean.value[s],
            "kl_half_width_95": mean.half[s],
            **{
                f"kl_p{100 * chance:02.0f}": q for chance, q in zip(CHANCES, spread[s], strict=True)
            },
            "surprisal_mean": surprisal.value[s],
            "surprisal_half_width_95": surprisal.half[s],
        }


def handles_of():
    yield Line2D([], [], color=style.VERMILLION, marker="o", markersize=2.2, linestyle="none")
    yield Line2D([], [], color=style.BLUE)
    yield Patch(color=style.SKY, alpha=0.53)
    yield Patch(color=style.SKY, alpha=0.18)
    yield Line2D([], [], color=style.GREEN, marker="s")
    yield Line2D([], [], color=style.GREY, linewidth=0.7, linestyle=":")


def draw(views, _options):
    figure, panels = style.grid(len(views), 2, titles=int(len(views) > 1), left=0.55, gap=0.65)
    rows = []
    for (left, right), view in zip(panels, views, strict=True):
        mean, spread = mean_of(view, NEEDS[1:]), quantiles_of(view)
        surprisal = mean_of(view, SURPRISAL)
        draw_divergence(left, view, views, mean, spread)
        draw_surprisal(right, view, views, surprisal)
        if len(views) > 1:
            style.set_title(left, view.label)
            style.set_title(right, view.label)
        rows += rows_of(view, mean, spread, surprisal)
    style.share_limits(panels[:, 0])
    scale_surprisals(panels[:, 1], rows)
    names = ("mean KL", "median", "25–75 %", "5–95 %", "mean surprisal", "the output's")
    style.legend(figure, list(handles_of()), names, 6)
    caption = captions.join(
        "Left: Kullback-Leibler divergence of each state's lens distribution from the "
        "output, KL(output, lens) in nats, over positions; it is 0 at the last state, "
        "which a logarithmic axis can't show (a quantile below 1e-6 is drawn at the "
        "lower end, one above 100 just above 100). Right: mean surprisal -ln q(gold) "
        "of the gold next token; dotted: the output's own.",
        captions.of_bands(views, "Bars at the means and shaded band"),
        "How to read: what is lost, in nats, by stopping at a state. A mean far above "
        "the median comes from few positions that are far off.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
