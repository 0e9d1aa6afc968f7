"""Rows whose seeds reach a level, or do not, as a test says."""

import polars as pl

LABELS = (5, 7, 9, 11, 13)


def rows(successes, *, by=(), values=LABELS, x="n_pair_labels", seeds=None):
    """A trial for each seed and value of `x`: `successes` has a text a value, with a letter a seed.

    1 reaches 0.9, 0 does not, d diverged, c crashed, . was not trained. `by` has further columns, the same for all.
    """
    found = []
    for value, text in zip(values, successes, strict=True):
        for place, letter in enumerate(text):
            if letter == ".":
                continue
            status = {"d": "diverged", "c": "crashed"}.get(letter, "done")
            accuracy = {"0": 0.6, "1": 0.95}.get(letter)
            seed = place if seeds is None else seeds[place]
            own = {x: value, "seed": seed, "status": status, "stop_rule": None, "unseen_order": accuracy}
            found.append({**dict(by), **own})
    return pl.DataFrame(found, schema_overrides={"stop_rule": pl.String, "unseen_order": pl.Float64})


STEP = ("00000", "00000", "11111", "11111", "11111")
MIXED = ("00000", "00100", "01101", "11111", "11110")
