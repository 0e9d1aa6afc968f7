"""The verbs of `lrsym plot`: a picture of a sweep, saved in three forms."""

from pathlib import Path
from typing import Annotated

import typer

from lrsym.cli import boundary
from lrsym.cli.contrast import Against, By, Metric, Of, parse_values
from lrsym.cli.options import RESULTS, File, Json, Results, Set, Where, load_search, load_sweep, parse_out
from lrsym.cli.picture import draw_refined, draw_sweep, save_picture
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

plot_app = typer.Typer(no_args_is_help=True, help="Draw what is in the store: HTML, PNG and Vega-Lite JSON.")

Out = Annotated[
    Path | None,
    typer.Option(
        parser=parse_out,
        metavar="PATH",
        help="Path of the picture without its ending; by default RESULTS/plots/SWEEP-...",
    ),
]
Live = Annotated[
    bool,
    typer.Option("--live", help="Draw trials in training, too, as they were last evaluated, where one sweep runs."),
]
AxisX = Annotated[str | None, typer.Option(help="Axis to the right; by default the first one that the sweep varies.")]
AxisY = Annotated[str | None, typer.Option(help="Axis upwards; by default the second one that the sweep varies.")]


@plot_app.command("phase")
def plot_phase(
    files: Annotated[
        list[Path], typer.Argument(help="Sweep files (TOML); several are drawn side by side.", metavar="FILE...")
    ],
    set_: Set = None,
    results: Results = RESULTS,
    metric: Annotated[
        str, typer.Option(help="What is drawn: <split>_<metric>, or a column of numbers such as seconds.")
    ] = PHASE_METRIC,
    x: AxisX = None,
    y: AxisY = None,
    facet: Annotated[str | None, typer.Option(help="Axis with one row of panels for each value.")] = None,
    threshold: Annotated[float, typer.Option(help="Accuracy from which a phase counts as reached.")] = PHASE_THRESHOLD,
    refined: Annotated[
        bool, typer.Option("--refined", help="Draw where the metric crosses --level, as lrsym refine finds it.")
    ] = False,
    level: Annotated[
        float, typer.Option(help="With --refined: accuracy at which the boundary runs.")
    ] = PHASE_THRESHOLD,
    minus: Annotated[
        bool, typer.Option("--minus", help="Of two files: the first minus the second in each cell, paired by seed.")
    ] = False,
    live: Live = False,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Mean of a metric and phase of every cell, of one sweep or several, or the boundary of a refinement."""
    from lrsym.results.analysis.phases import check_threshold
    from lrsym.results.plots.draw import draw_phases

    if refined:
        if len(files) > 1 or minus or live:
            raise UsageError("--refined draws one sweep; leave out others, --minus and --live, or leave out --refined")
        options = {"metric": metric, "x": x, "y": y, "facet": facet, "level": level}
        draw_refined(files[0], set_, results, where, options, out=out, as_json=json)
        return
    check_threshold(threshold)
    options = {"metric": metric, "x": x, "y": y, "facet": facet, **({} if minus else {"threshold": threshold})}
    sweeps = [load_sweep(file, results, set_) for file in files]
    chart = draw_phases(sweeps, results, minus=minus, where=where, live=live, **options)
    named, name = (
        "-".join(sweep.name for sweep in sweeps),
        f"phase-{'minus-' if minus else ''}{metric}{'-live' if live else ''}",
    )
    save_picture(chart, named, results, where, options, changes=sweeps[0].changes, name=name, out=out, as_json=json)


@plot_app.command("probabilities")
def plot_probabilities(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    metric: Annotated[str, typer.Option(help="Accuracies that decide the phase: <split>_<metric>.")] = PHASE_METRIC,
    x: AxisX = None,
    y: AxisY = None,
    facet: Annotated[str | None, typer.Option(help="Axis with a panel for each value.")] = None,
    threshold: Annotated[float, typer.Option(help="Accuracy from which a phase counts as reached.")] = PHASE_THRESHOLD,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """How the seeds of each cell fall into the phases, with the interval of the commonest one's probability."""
    from lrsym.results.analysis.phases import check_threshold

    check_threshold(threshold)
    options = {"metric": metric, "x": x, "y": y, "facet": facet, "threshold": threshold}
    name = f"probabilities-{metric}"
    draw_sweep("probabilities", file, set_, results, where, options, name=name, out=out, as_json=json)


@plot_app.command("boundary")
def plot_boundary(
    files: boundary.Files,
    set_: Set = None,
    results: Results = RESULTS,
    metric: boundary.Metric = PHASE_METRIC,
    level: boundary.Level = PHASE_THRESHOLD,
    x: boundary.Along = None,
    by: boundary.By = None,
    color: boundary.Color = None,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Where along an axis half of the seeds reach a level, with intervals; of several, how far they lie apart."""
    from lrsym.results.plots.draw import draw_several

    options = {"metric": metric, "level": level, "x": x, "by": by, "color": color}
    sweeps = [load_sweep(file, results, set_) for file in files]
    chart = draw_several("boundary", sweeps, results, where=where, **options)
    named, name = "-".join(sweep.name for sweep in sweeps), f"boundary-{metric}"
    save_picture(chart, named, results, where, options, changes=sweeps[0].changes, name=name, out=out, as_json=json)


@plot_app.command("line")
def plot_line(
    files: Annotated[
        list[Path], typer.Argument(help="Sweep files (TOML); each has rows of panels.", metavar="FILE...")
    ],
    set_: Set = None,
    results: Results = RESULTS,
    metric: Annotated[
        str, typer.Option(help="Columns of the table trials, with commas between them; a panel for each.")
    ] = PHASE_METRIC,
    x: AxisX = None,
    color: Annotated[
        str | None, typer.Option(help="Axis shown by colour; by default the second one that the sweep varies.")
    ] = None,
    facet: Annotated[str | None, typer.Option(help="Axis with a row of panels for each value.")] = None,
    band: Annotated[
        str, typer.Option(help="interval (95 % of the mean) or range (lowest to highest seed).")
    ] = "interval",
    live: Live = False,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Means of metrics along an axis, in bands, a colour for each value of another one."""
    from lrsym.results.analysis.metrics import as_metrics
    from lrsym.results.plots.draw import draw_lines

    options = {"metric": metric, "x": x, "color": color, "facet": facet, "band": band}
    name = f"line-{'-'.join(as_metrics(metric))}{'-live' if live else ''}"
    sweeps = [load_sweep(file, results, set_) for file in files]
    chart = draw_lines(sweeps, results, where=where, live=live, **options)
    named, changes = "-".join(sweep.name for sweep in sweeps), sweeps[0].changes
    options["band"] = None if band == "interval" else band
    save_picture(chart, named, results, where, options, changes=changes, name=name, out=out, as_json=json)


@plot_app.command("curves")
def plot_curves(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    metric: Annotated[str, typer.Option(help="order, inset, global, labelset or loss.")] = "order",
    color: Annotated[str | None, typer.Option(help="Axis shown by colour instead of by panels.")] = None,
    live: Live = False,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Learning curves of every split, over steps."""
    options = {"metric": metric, "color": color}
    name = f"curves-{metric}{'-live' if live else ''}"
    draw_sweep("curves", file, set_, results, where, options, name=name, out=out, as_json=json, live=live)


@plot_app.command("ablation")
def plot_ablation(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    split: Annotated[str, typer.Option(help="unseen or seen.")] = "unseen",
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Accuracies with each score term left out at inference."""
    draw_sweep(
        "ablation", file, set_, results, where, {"split": split}, name=f"ablation-{split}", out=out, as_json=json
    )


@plot_app.command("mechanism")
def plot_mechanism(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    x: AxisX = None,
    y: AxisY = None,
    facet: Annotated[str | None, typer.Option(help="Axis with a panel for each value.")] = None,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """By which path each cell's seeds read order on unseen pairs: through the scores or the values."""
    options = {"x": x, "y": y, "facet": facet}
    draw_sweep("mechanism", file, set_, results, where, options, name="mechanism", out=out, as_json=json)


@plot_app.command("onset")
def plot_onset(
    file: File, set_: Set = None, results: Results = RESULTS, where: Where = None, out: Out = None, json: Json = False
) -> None:
    """When order, attention by side and path come along training, in trials with eval.mechanism = "points"."""
    draw_sweep("onset", file, set_, results, where, {}, name="onset", out=out, as_json=json)


@plot_app.command("symmetry")
def plot_symmetry(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    x: AxisX = None,
    color: Annotated[
        str | None, typer.Option(help="Axis that is the size; by default the second one that the sweep varies.")
    ] = None,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Sign, size and fluctuations of the slope of each seed along an axis: is it a phase transition?"""
    options = {"x": x, "color": color}
    draw_sweep("symmetry", file, set_, results, where, options, name="symmetry", out=out, as_json=json)


@plot_app.command("profile")
def plot_profile(
    file: File, set_: Set = None, results: Results = RESULTS, where: Where = None, out: Out = None, json: Json = False
) -> None:
    """What each head adds to the logit along the pixels, term by term, for one cell."""
    draw_sweep("profile", file, set_, results, where, {}, name="profile", out=out, as_json=json)


@plot_app.command("cost")
def plot_cost(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    by: Annotated[str | None, typer.Option(help="Axis; by default the first one that the sweep varies.")] = None,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Where the hours went, by outcome, and what one trial takes, along an axis."""
    draw_sweep("cost", file, set_, results, where, {"by": by}, name="cost", out=out, as_json=json)


@plot_app.command("contrast")
def plot_contrast(
    file: File,
    of: Of,
    against: Against,
    metric: Metric = PHASE_METRIC,
    by: By = None,
    set_: Set = None,
    results: Results = RESULTS,
    where: Where = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """How far metrics differ between two values of an axis, paired by seed, each with its interval."""
    from lrsym.results.analysis.metrics import as_metrics
    from lrsym.results.plots.draw import draw_contrast

    sides = {"of": parse_values("--of", of), "against": parse_values("--against", against)}
    name, sweep = f"contrast-{'-'.join(as_metrics(metric))}", load_sweep(file, results, set_)
    chart = draw_contrast(sweep, results, **sides, metric=metric, by=by, where=where)
    options = {"of": " ".join(of), "against": " ".join(against), "by": by}
    save_picture(chart, sweep.name, results, where, options, changes=sweep.changes, name=name, out=out, as_json=json)


@plot_app.command("search")
def plot_search(file: File, set_: Set = None, results: Results = RESULTS, out: Out = None, json: Json = False) -> None:
    """How a search went, which axes decide, and the objective along each; with several objectives the Pareto front."""
    from lrsym.results.plots import search as picture
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.importance import search_frames

    search = load_search(file, set_)
    chart = picture.plot_search(search_frames(search, Store(results)), name=search.name)
    save_picture(chart, search.name, results, changes=search.source.changes, name="search", out=out, as_json=json)
