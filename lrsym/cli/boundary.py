"""The verb `lrsym boundary`: where along an axis half of the seeds reach a level, and how far boundaries lie apart."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, Json, Options, Results, Set, Where, number, with_options
from lrsym.cli.output import Output
from lrsym.cli.table_text import as_wrapped_table
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

if TYPE_CHECKING:
    import polars as pl

    from lrsym.results.analysis.boundary import Boundary

Files = Annotated[
    list[Path],
    typer.Argument(help="Sweep files (TOML); of several each is compared with the first.", metavar="FILE..."),
]
Metric = Annotated[str, typer.Option(help="Accuracy that seeds reach: <split>_<metric>.")]
Level = Annotated[float, number("level", help="Accuracy that a seed must reach to count.")]
Along = Annotated[
    str | None, typer.Option(help="Axis along which the boundary lies; by default the first one that the sweep varies.")
]
By = Annotated[
    str | None, typer.Option(help="Axis with one boundary for each value; by default the second one that varies.")
]
Color = Annotated[str | None, typer.Option(help="Axis whose values are compared with its first one.")]

BOUNDARY: Options = {
    "metric": (Metric, PHASE_METRIC),
    "level": (Level, PHASE_THRESHOLD),
    "x": (Along, None),
    "by": (By, None),
    "color": (Color, None),
}
"""Which boundary is meant: of the verbs `boundary` and `plot boundary`."""


@with_options(BOUNDARY)
def boundary(
    files: Files, set_: Set = None, results: Results = RESULTS, where: Where = None, json: Json = False, **options: Any
) -> None:
    """Show where along an axis half of the seeds reach a level, for each value of another axis, with intervals."""
    from lrsym.api.arguments import as_grids, refuse_searches
    from lrsym.api.boundaries import boundary_whole
    from lrsym.api.rows import unfinished

    refuse_searches(files, "a boundary")
    sweeps = as_grids(files, results, set_ or ())
    found = boundary_whole(sweeps, results=results, where=where, **options)
    frame = found.frame()
    distances = found.differences() if found.has_several else None
    names = [sweep.name for sweep in sweeps]
    data = {
        "sweeps": names, "metric": found.metric, "level": found.level, "x": found.x, "by": found.by,
        "color": found.color, "by_ratio": found.by_ratio, "where": where, "boundaries": frame.to_dicts(),
        "differences": None if distances is None else distances.to_dicts(),
    }  # fmt: skip
    missing = unfinished(sweeps, results)
    lines = [f"{', '.join(names)}: {_about(found)}", *_in_words(found, frame, distances), *missing]
    Output(as_json=json).result({**data, "unfinished": missing}, lines)


def _about(found: "Boundary") -> str:
    spaced = ", fitted along its binary logarithm" if found.by_ratio else ""
    return f"where half of the seeds reach {found.level:g} in {found.metric}, along {found.x}{spaced}"


def _in_words(found: "Boundary", frame: "pl.DataFrame", distances: "pl.DataFrame | None") -> list[str]:
    unit = "doublings" if found.by_ratio else found.x
    lines = [
        as_wrapped_table(
            [*found.keys, "boundary", f"width ({unit})", "monotone fit", "seeds"],
            [
                [
                    *(_text(row[key]) for key in found.keys), row["told"],
                    _interval(row["width"], row["width_low"], row["width_high"]),
                    _interval(row["isotonic"], row["isotonic_low"], row["isotonic_high"]), str(row["n_seeds"]),
                ]
                for row in frame.iter_rows(named=True)
            ],
        ),
        "95 % intervals by profile likelihood over seeds; width: from a share of 0.1 to one of 0.9",
    ]  # fmt: skip
    if distances is None:
        return lines
    several = distances.height > 1
    keys = ["of", "against", *([found.by] if found.by else [])]
    return [
        *lines,
        f"distances in {unit}:",
        as_wrapped_table(
            [*keys, "distance", "seeds", "shared", "holm" if several else "p"],
            [
                [
                    *(_text(row[key]) for key in keys), row["told"], str(row["n"]), str(row["n_shared"]),
                    "" if row["holm"] is None else f"{row['holm']:.2g}",
                ]
                for row in distances.iter_rows(named=True)
            ],
        ),
        "of minus against, paired where both have a seed; "
        + ("holm: p of no distance after Holm's correction for all rows" if several else "p of no distance"),
    ]  # fmt: skip


def _interval(at: float | None, low: float | None, high: float | None) -> str:
    place = "" if at is None else f"{at:.3g}"
    if low is None and high is None:
        return place
    ends = ("..." if end is None else f"{end:.3g}" for end in (low, high))
    return f"{place} ({' to '.join(ends)})".strip()


def _text(value: object) -> str:
    return "absent" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
