"""How each state spreads its probability over the frequency buckets: mean mass of the lens
distribution, not only of its best token.
"""

import captions
import driver
import style
from report import Drawing
from result import BUCKET_LABELS, BUCKET_NAMES, share

TITLE = "Probability mass by bucket and state"
NEEDS = ("mass_sum", "mass_members")
COUNTED = "position_count"


def masses_of(view):
    """(states, buckets): mean mass. Every position is a member of every band."""
    total = view.by_bucket(view.take("mass_sum", "state", "band")[0])
    members = view.take("mass_members", "state", "band")[0].max(axis=-1, keepdims=True)
    return share(total, members)


def draw(views, _options):
    figure, panels = style.view_grid(views)
    rows = []
    for axes, view in zip(panels, views, strict=True):
        x = style.state_axis(axes, view, views)
        masses = masses_of(view)
        handles = style.stack(axes, x, masses, style.BUCKET_COLOURS, 0.86 * style.spacing(x))
        style.percent_axis(axes, "mean probability mass (%)")
        for s in range(len(view.states)):
            for b, bucket in enumerate(BUCKET_NAMES):
                rows.append({**view.at(s), "bucket": bucket, "mean_mass": masses[s, b]})
    style.legend(figure, handles, BUCKET_LABELS, 4)
    caption = captions.join(
        "Mean probability mass that a state's lens distribution gives to each "
        "frequency bucket. The last state is the output.",
        captions.BUCKETS,
        "Masses are not kept by fold, so there are no error bands.",
        "How to read: beside the figure of guesses, this says whether frequent words "
        "hold the whole distribution or only its top.",
        captions.of_group(views),
    )
    return Drawing(figure, caption, rows)


if __name__ == "__main__":
    driver.run_alone()
