"""The verb `lrsym contrast`: how far two values of an axis differ, paired by seed and every other axis."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Json, Options, Results, Set, Where, with_options
from lrsym.cli.output import Output
from lrsym.cli.table_text import as_text
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

CONTRAST: Options = {
    "of": (Of, inspect.Parameter.empty),
    "against": (Against, inspect.Parameter.empty),
    "metric": (Metric, PHASE_METRIC),
    "by": (By, None),
}
"""What is contrasted: of the verbs `contrast` and `plot contrast`."""


PerDoubling = Annotated[
    str | None, typer.Option(metavar="AXIS", help="In place of both: the effect of each doubling of an axis.")
]


@with_options({**CONTRAST, "of": (Of, []), "against": (Against, []), "per_doubling": (PerDoubling, None)})
def contrast(
    file: File, set_: Set = None, results: Results = RESULTS, where: Where = None, json: Json = False, **options: Any
) -> None:
    """Show how far metrics differ between two values of an axis: paired by seed, with the interval over seeds."""
    from lrsym.api.arguments import as_grid
    from lrsym.api.reading import contrast_whole
    from lrsym.api.rows import unfinished
    from lrsym.results.analysis.contrasts import in_words

    sides, sweep = parse_sides(options), as_grid(file, results, set_ or ())
    found = contrast_whole(sweep, **{**options, **sides}, results=results, where=where)
    data = {
        "sweep": sweep.name, **sides, "where": where, "paired_by": ["seed", *found.paired_by],
        "moves_with": found.followers, "contrasts": found.frame.to_dicts(),
    }  # fmt: skip
    named = " minus ".join(map(in_words, sides.values()))
    if doubled := options["per_doubling"]:
        data["per_doubling"], named = doubled, f"per doubling of {doubled}"
    missing = unfinished([sweep], results)
    lines = [
        f"{sweep.name}: {named}",
        *_in_words(found, by=options["by"], noun="line" if doubled else "pair"),
        *missing,
    ]
    Output(as_json=json).result({**data, "unfinished": missing}, lines)


def parse_sides(options: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what stands behind --of and --against, each as the texts of values by axis."""
    return {name: parse_values(f"--{name}", options[name]) for name in ("of", "against")}


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


def _in_words(found: "Contrast", *, by: str | None, noun: str) -> list[str]:
    from lrsym.results.analysis.contrasts import LEFT_OUT, LEFT_OUT_OF_LINES, lost_in_words

    frame, left_out = found.frame, LEFT_OUT if noun == "pair" else LEFT_OUT_OF_LINES
    few, many = frame["fewest_cells"].min(), frame["most_cells"].max()
    cells = "" if many == 1 else f"mean over {many if few == many else f'{few} to {many}'} cells within a seed, "
    lines = [
        as_text(_table(frame, by=by).rename({"pairs": f"{noun}s"})),
        f"{'paired' if noun == 'pair' else 'a line'} by {', '.join(['seed', *found.paired_by])}; {cells}95 % interval "
        f"over seeds; p of the {'paired ' if noun == 'pair' else ''}t test"
        + (", holm after Holm's correction for all rows" if frame.height > 1 else ""),
    ]
    if found.followers:
        what = "also different between the two" if noun == "pair" else "also moving with it"
        lines.append(f"{what}: {', '.join(found.followers)}")
    # The same trials stand behind each metric, so that the counts of one are those of all, but for missing values.
    told = lost_in_words(lambda name: frame.group_by("metric").agg(name)[name].list.sum().max(), left_out)
    whys = frame.drop_nulls("no_interval").group_by("no_interval", maintain_order=True).agg("metric").iter_rows()
    lines += [f"no interval of {', '.join(dict.fromkeys(metrics))}: {why}" for why, metrics in whys]
    return [*lines, *([f"left out: {told}"] if told else [])]


def _table(frame: "pl.DataFrame", *, by: str | None) -> "pl.DataFrame":
    import polars as pl

    def rounded(name: str) -> pl.Expr:
        return pl.col(name).round_sig_figs(4 if name in ("p", "holm") else 3)

    numbers = [rounded(name) for name in ("estimate", "low", "high")]
    levels = [rounded(name) for name in (("p", "holm") if frame.height > 1 else ("p",))]
    return frame.select("metric", *([by] if by else []), *numbers, "n", *levels, pl.col("n_pairs").alias("pairs"))
