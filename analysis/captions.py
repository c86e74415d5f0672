"""Sentences that several captions share."""

BUCKETS = (
    "Buckets are frequency ranks in the result's own frequency table; the rest is rank "
    "1001 and above together with unranked tokens."
)
STATES = "State 0 is the embedding output, state l the residual stream after block l."


def of_bands(views, what="Shaded bands"):
    """What error bands are, or why there are none."""
    folds = sorted({view.folds for view in views})
    if folds == [1]:
        return "No error bands: the records were not put into folds."
    text = " or ".join(str(n) for n in folds if n > 1)
    how = f"delete-one-fold jackknife over {text} folds of the records"
    return f"{what}: 95 % confidence, {how}."


def of_group(views, all_groups=False):
    """Which positions are shown."""
    view = views[0]
    if view.group is None:
        return "All groups of records together." if len(view.result.groups) > 1 else ""
    name = view.result.groups[view.group]
    return "All groups of records (no other is kept)." if all_groups else f"Group {name} only."


def join(*sentences):
    return " ".join(sentence for sentence in sentences if sentence)


def percent(value):
    return f"{100 * value:.1f} %"
