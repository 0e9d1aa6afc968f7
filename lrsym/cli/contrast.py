"""The verb `lrsym contrast`: how far two values of an axis differ, paired by seed and every other axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.options import RESULTS, File, Json, Results, Set, Where, load_sweep
from lrsym.cli.output import Output, as_text
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    import polars as pl

    from lrsym.results.analysis.contrasts import Contrast

Of = Annotated[
    list[str], typer.Option(metavar="AXIS=VALUE", help="Value of an axis: --of layouts_per_pair=20; repeat for more.")
]
Against = Annotated[
    list[str], typer.Option(metavar="AXIS=VALUE", help="Value of the same axis that is subtracted; repeat for more.")
]
Metric = Annotated[str, typer.Option(help="Columns of the table trials, with commas between them.")]
By = Annotated[str | None, typer.Option(help="Axis with one row for each value.")]


def contrast(
    file: File,
    of: Of,
    against: Against,
    metric: Metric = PHASE_METRIC,
    by: By = None,
    set_: Set = None,
    results: Results = RESULTS,
    where: Where = None,
    json: Json = False,
) -> None:
    """Show how far metrics differ between two values of an axis: paired by seed, with the interval over seeds."""
    from lrsym.results.analysis import contrasts
    from lrsym.results.analysis.metrics import as_metrics
    from lrsym.results.plots.draw import read_trials

    sides = parse_values("--of", of), parse_values("--against", against)
    metrics, sweep = as_metrics(metric), load_sweep(file, results, set_)
    trials = read_trials(sweep, results, where=where)
    found = contrasts.contrast(trials, of=sides[0], against=sides[1], metrics=metrics, by=by)
    data = {
        "sweep": sweep.name, "of": sides[0], "against": sides[1], "where": where,
        "paired_by": ["seed", *found.paired_by], "moves_with": found.followers, "contrasts": found.frame.to_dicts(),
    }  # fmt: skip
    named = " minus ".join(map(contrasts.in_words, sides))
    Output(as_json=json).result(data, [f"{sweep.name}: {named}", *_in_words(found, by=by)])


def parse_values(option: str, words: Sequence[str]) -> dict[str, str]:
    """Return the texts after `option`, each as AXIS=VALUE, by axis; the section of a key may stand before the axis."""
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = (piece.strip() for piece in word.partition("="))
        if not (key and equals and value):
            remedy = f"write for example {option} layouts_per_pair=20"
            raise UsageError(f"{option} must be AXIS=VALUE, got {word or 'nothing'}; {remedy}")
        if (axis := key.rpartition(".")[2]) in values:
            raise UsageError(f"{option} names {axis} twice, with {values[axis]} and {value}; leave one out")
        values[axis] = value
    return values


def _in_words(found: "Contrast", *, by: str | None) -> list[str]:
    from lrsym.results.analysis.contrasts import LEFT_OUT

    frame = found.frame
    few, many = frame["fewest_cells"].min(), frame["most_cells"].max()
    cells = "" if many == 1 else f"mean over {many if few == many else f'{few} to {many}'} cells within a seed, "
    lines = [
        as_text(_table(frame, by=by)),
        f"paired by {', '.join(['seed', *found.paired_by])}; {cells}95 % interval over seeds; p of the paired t test"
        + (", holm after Holm's correction for all rows" if frame.height > 1 else ""),
    ]
    if found.followers:
        lines.append(f"also different between the two: {', '.join(found.followers)}")
    # The same trials stand behind each metric, so that the counts of one are those of all, but for missing values.
    lost = {what: frame.group_by("metric").agg(name)[name].list.sum().max() for name, what in LEFT_OUT.items()}
    told = ", ".join(f"{n} {what}" for what, n in lost.items() if n)
    return [*lines, *([f"left out: {told}"] if told else [])]


def _table(frame: "pl.DataFrame", *, by: str | None) -> "pl.DataFrame":
    import polars as pl

    def rounded(name: str) -> pl.Expr:
        return pl.col(name).round_sig_figs(4 if name in ("p", "holm") else 3)

    numbers = [rounded(name) for name in ("estimate", "low", "high")]
    levels = [rounded(name) for name in (("p", "holm") if frame.height > 1 else ("p",))]
    return frame.select("metric", *([by] if by else []), *numbers, "n", *levels, pl.col("n_pairs").alias("pairs"))
