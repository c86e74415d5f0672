"""Who names the gold next token at each state: the lens, the output, both or neither."""

import captions
import driver
import style
from report import Drawing
from result import share_of_sum

TITLE = "Right and wrong guesses by state"
NEEDS = ("gold_count",)
COUNTED = "gold_position_count"

# Order of the stack, from the bottom, with the file's words.
OUTCOMES = (
    ("both", "both right", style.BLUE),
    ("lens_only", "lens alone right", style.SKY),
    ("output_only", "output alone right", style.YELLOW),
    ("same_wrong", "same wrong", style.VERMILLION),
    ("other_wrong", "both wrong, not the same", style.PALE),
)


def shares_of(view):
    """(states, outcomes in the order above)."""
    words = view.result.words("outcome")
    counts = view.take("gold_count", "state", "outcome")[0]
    return share_of_sum(counts[:, [words.index(word) for word, _, _ in OUTCOMES]])


def draw(views, _options):
    figure, panels = style.view_grid(views)
    colours = [colour for _, _, colour in OUTCOMES]
    rows = []
    for axes, view in zip(panels, views, strict=True):
        x = style.state_axis(axes, view, views)
        shares = shares_of(view)
        handles = style.stack(axes, x, shares, colours, 0.86 * style.spacing(x))
        style.percent_axis(axes, "share of positions (%)")
        for s in range(len(view.states)):
            for o, (word, _, _) in enumerate(OUTCOMES):
                rows.append({**view.at(s), "outcome": word, "share": shares[s, o]})
    style.legend(figure, handles, [name for _, name, _ in OUTCOMES], 5)
    caption = captions.join(
        "Positions with a gold next token by who names it: the lens top-1 of the "
        "state, the model's output, both, or neither.",
        "Not kept by fold, so there are no error bands.",
        "How to read: the two blue parts are what a state gets right; the light one "
        "is what the later blocks lose again, the yellow one what they still add.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
