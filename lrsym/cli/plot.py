"""The verbs of `lrsym plot`: read the rows of a sweep, draw, save."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Json, Results, axis_names, load_sweep
from lrsym.cli.output import Output, command_line
from lrsym.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.spec.sweep_file import Sweep

plot_app = typer.Typer(no_args_is_help=True, help="Draw what is in the store: HTML, PNG and Vega-Lite JSON.")

Where = Annotated[str | None, typer.Option(help="Keep trials for which this SQL condition holds: 'd_model = 64'.")]
Out = Annotated[Path | None, typer.Option(help="Picture without ending. [default: RESULTS/plots/SWEEP-...]")]


@plot_app.command("phase")
def plot_phase(
    file: File,
    results: Results = RESULTS,
    metric: Annotated[str, typer.Option(help="Outcome that is drawn: <split>_<metric>.")] = "unseen_order",
    x: Annotated[str | None, typer.Option(help="Axis to the right. [default: first axis of the sweep]")] = None,
    y: Annotated[str | None, typer.Option(help="Axis upwards. [default: second axis of the sweep]")] = None,
    facet: Annotated[str | None, typer.Option(help="Axis with one row of panels for each value.")] = None,
    threshold: Annotated[float, typer.Option(help="Accuracy from which a phase counts as reached.")] = 0.9,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Mean of a metric and phase of every cell."""
    from lrsym.results.plots import panels as plots
    from lrsym.results.plots.draw import first_axes

    if not 0 < threshold <= 1:
        raise UsageError(f"--threshold must be above 0 and at most 1, got {threshold:g}; the usual one is 0.9")
    spec = load_sweep(file)
    frame = _drawable(spec, results, "trials", where)
    x, y = first_axes(frame, varied=axis_names(spec), x=x, y=y, facet=facet)
    chart = plots.plot_phase(frame, metric=metric, x=x, y=y, facet=facet, threshold=threshold)
    _save(chart, spec, results, f"phase-{metric}", out, where, as_json=json)


@plot_app.command("curves")
def plot_curves(
    file: File,
    results: Results = RESULTS,
    metric: Annotated[str, typer.Option(help="order, inset, global, labelset or loss.")] = "order",
    color: Annotated[str | None, typer.Option(help="Axis shown by colour instead of by panels.")] = None,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Learning curves of every split, over steps."""
    from lrsym.results.plots import panels as plots

    spec = load_sweep(file)
    chart = plots.plot_curves(_drawable(spec, results, "curves", where), metric=metric, color=color)
    _save(chart, spec, results, f"curves-{metric}", out, where, as_json=json)


@plot_app.command("ablation")
def plot_ablation(
    file: File,
    results: Results = RESULTS,
    split: Annotated[str, typer.Option(help="unseen or seen.")] = "unseen",
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Accuracies with each score term left out at inference."""
    from lrsym.results.plots import panels as plots

    spec = load_sweep(file)
    chart = plots.plot_ablation(_drawable(spec, results, "ablations", where), split=split)
    _save(chart, spec, results, f"ablation-{split}", out, where, as_json=json)


@plot_app.command("profile")
def plot_profile(
    file: File, results: Results = RESULTS, where: Where = None, out: Out = None, json: Json = False
) -> None:
    """What each head adds to the logit along the pixels, term by term, for one cell."""
    from lrsym.results.plots import panels as plots

    spec = load_sweep(file)
    chart = plots.plot_profile(_drawable(spec, results, "terms", where))
    _save(chart, spec, results, "profile", out, where, as_json=json)


def _drawable(spec: "Sweep", results: Path, table: str, where: str | None) -> "pl.DataFrame":
    """The sweep's rows of `table`, with the axes of their trials, that meet `where`."""
    from lrsym.results.plots.draw import rows_to_draw

    ids = [t.trial_id for t in spec.trials]
    rows = rows_to_draw(results, table, trial_ids=ids, where=where)
    if not rows.is_empty() and not (table == "ablations" and {*rows["term"]} == {"none"}):
        return rows
    trained = rows_to_draw(results, "trials", trial_ids=ids, where=None)
    chosen = rows_to_draw(results, "trials", trial_ids=ids, where=where)
    if trained.is_empty():
        why = f"no trial of {spec.name} in {results}; train first: {command_line('sweep', Path(spec.source), results)}"
    elif chosen.is_empty():
        why = f"no trial of {spec.name} in {results} where {where}; leave --where out"
    elif table in ("ablations", "terms"):
        why = (
            f"the {chosen.height} trials of {spec.name} have no {table}: there are terms where the first block reads "
            "token + position embeddings itself, with model.layer_norm none or post; rows of older versions lack them"
        )
    else:
        why = f"no {table} of {spec.name} in {results}; see how the trials ended: lrsym status {spec.source}"
    raise UsageError(f"nothing to draw: {why}")


def _save(
    chart: Any, spec: "Sweep", results: Path, kind: str, out: Path | None, where: str | None, *, as_json: bool
) -> None:
    from lrsym.results.plots.draw import only_where
    from lrsym.results.plots.panels import save

    name = f"{spec.name}-{kind}"
    if where is not None:  # pictures of different cells keep apart, and say what they show
        name += "-" + _as_file_name(where)
        chart = only_where(chart, where)
    if out is None or out.is_dir():
        out = (out or results / "plots") / name
    else:
        out = out.with_name(re.sub(r"\.(html|png|vl\.json)$", "", out.name))
    paths = [str(path) for path in save(chart, out)]
    Output(as_json=as_json).result({"sweep": spec.name, "pictures": paths}, paths)


def _as_file_name(where: str) -> str:
    """The condition in characters that are safe in a file name; operators become words, so conditions stay apart."""
    words = {"<": " lt ", ">": " gt ", "=": " eq ", "!": " not "}
    spelt = "".join(words.get(letter, letter) for letter in where)
    return re.sub(r"[^A-Za-z0-9_.]+", "-", spelt).strip("-")
