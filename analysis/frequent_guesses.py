"""The most frequent guesses (lens top-1) at some states, as a table whose shades are
shares of positions. Token ids, or texts where --vocabulary brings them.
"""

import numpy
from matplotlib import font_manager

import captions
import driver
import style
from report import Drawing
from result import share_of_sum
from vocabulary import show

TITLE = "Most frequent guesses by state"
NEEDS = ("top1_token_count",)
COUNTED = "position_count"

COLUMNS, ROWS = 7, 10
LETTERS = 9  # of a token, at most


def chosen_states(view):
    """Places of at most seven states, evenly spread, first and last among them."""
    n = len(view.states)
    return sorted({round(i * (n - 1) / (COLUMNS - 1)) for i in range(COLUMNS)})


def best_of(view, place):
    """(ids, shares) of the most frequent guesses at a state; equals: lower id first."""
    shares = share_of_sum(view.take("top1_token_count", "state", "token")[0, place])
    order = numpy.argsort(-numpy.nan_to_num(shares), kind="stable")[:ROWS]
    return [(int(token), shares[token]) for token in order if shares[token] > 0]


def draw_view(axes, view, options, can_draw):
    places = chosen_states(view)
    grid = numpy.full((ROWS, len(places)), numpy.nan)
    for column, place in enumerate(places):
        for row, (token, part) in enumerate(best_of(view, place)):
            grid[row, column] = part * 100
            text = show(token, options.pieces, can_draw, LETTERS)
            axes.text(column - 0.45, row, text, va="center", size=6.5).set_parse_math(False)
            axes.text(
                column + 0.46,
                row,
                f"{part * 100:.1f}",
                va="center",
                ha="right",
                size=5.5,
            )
            yield {
                **view.at(place),
                "place": row + 1,
                "token": token,
                "text": options.pieces.get(token, ""),
                "share": part,
            }
    sides = [numpy.arange(size + 1) - 0.5 for size in (len(places), ROWS)]
    axes.pcolormesh(*sides, grid, cmap=style.PAPER_HEAT, vmin=0, edgecolors="white", linewidth=1)
    dress(axes, [str(view.states[place]) for place in places])


def dress(axes, names):
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(ROWS), range(1, ROWS + 1))
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(ROWS - 0.5, -0.5)
    axes.set_xlabel("state")
    axes.set_ylabel("place")
    axes.tick_params(length=0)


def draw(views, options):
    path = font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    letters = font_manager.get_font(path).get_charmap()
    figure, panels = style.grid(
        len(views), 1, height=1.9, legend=0, titles=int(len(views) > 1), left=0.4
    )
    rows = []
    for axes, view in zip(panels[:, 0], views, strict=True):
        rows += draw_view(axes, view, options, lambda letter: ord(letter) in letters)
        if len(views) > 1:
            style.set_title(axes, view.label)
    caption = captions.join(
        "The ten tokens that are most often the lens top-1, at states spread over the "
        "depth, with the share of positions in % (shade and number).",
        "␣ is a space, ↵ a line break." if options.pieces else "Numbers after # are token ids.",
        "How to read: a dark cell is a token that wins at many positions whatever the "
        "text; in the last column, the output, stand the words that the text asks for.",
        captions.of_group(views, all_groups=True),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
