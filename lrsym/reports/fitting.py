"""What of a page is kept where all of it would be too large to send."""

from collections.abc import Callable, Sequence
from typing import Any

from lrsym.reports.payload import encode

MAX_LETTERS = 13_000_000
"""Of all parts together: with the scripts that draw, a page stays below the 15 MB that mail takes."""

ROWS = "rows"
"""Leaves out the columns of the part `trials` that the page does not show."""

ORDER = {
    "profiles": "Profiles do not fit on a page: see some with lrsym plot profile --where.",
    "seed_ablations": "Ablations of single seeds do not fit on a page.",
    ROWS: "Rows hold what the table of seeds shows and the axes that vary; more does not fit on a page.",
    "ablations": "Ablations do not fit on a page: see some with lrsym plot ablation --where.",
    "seed_curves": "Curves of single seeds do not fit on a page.",
    "curves": "Curves do not fit on a page: see some with lrsym plot curves --where.",
    "trials": "The rows of trials do not fit on a page: ask for them with lrsym query.",
}
"""What is left out first, with the sentence that says so."""


def fit(
    sweeps: Sequence[dict[str, Any]],
    shorten: Sequence[Callable[[dict[str, Any]], dict[str, Any]]],
    *,
    limit: int = MAX_LETTERS,
) -> tuple[list[dict[str, str]], list[list[str]]]:
    """Return for each sweep the letters of its parts, together at most `limit`, and sentences on what is left out.

    `sweeps` are those of `sweep_parts`; None is left out. `shorten` gives fewer columns of the part trials of each.
    """
    parts = [{name: encode(value) for name, value in one.items() if value is not None} for one in sweeps]
    told = [[ORDER["trials"]] if one["trials"] is None else [] for one in sweeps]
    for name, sentence in ORDER.items():
        for number, own in enumerate(parts):
            if sum(len(letters) for one in parts for letters in one.values()) <= limit:
                return parts, told
            if name == ROWS and "trials" in own:
                own["trials"] = encode(shorten[number](sweeps[number]["trials"]))
            elif own.pop(name, None) is None:
                continue
            told[number].append(sentence)
    return parts, told
