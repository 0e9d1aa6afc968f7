"""How far trials agree that were trained twice, in words, by where and how they were trained."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def environments_in_words(compared: "pl.DataFrame") -> list[str]:
    """Return a line for each pair of environments of `compared`: what changed between them, and how many agree how.

    Of what stayed as it was the device and the pack size alone are told.
    """
    from lrsym.results.analysis.drift import ENVIRONMENT, environments
    from lrsym.vocabulary import AGREEMENTS

    lines = []
    for row in environments(compared).iter_rows(named=True):
        where = [f"{name} {row[name]}" for name in ENVIRONMENT if _is_told(name, str(row[name]))]
        counts = [f"{row[name.replace(' ', '_')]} {name}" for name in AGREEMENTS if row[name.replace(" ", "_")]]
        apart = ""
        if row["last"] is not None:
            apart = f"; last accuracies differ by {row['last']:.3g} at most, mean {row['bias']:+.2g}"
        lines.append(f"  {', '.join(where)}: {', '.join(counts)}{apart}")
    return lines


def _is_told(name: str, value: str) -> bool:
    return name in ("device", "pack_size") or " -> " in value
