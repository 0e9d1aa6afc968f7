"""The verbs of `lrsym plot`: a picture of a sweep, saved in three forms."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lrsym.cli.boundary import BOUNDARY, Files
from lrsym.cli.contrast import CONTRAST, parse_sides
from lrsym.cli.options import File, Threshold, number, with_options
from lrsym.cli.picture import DRAWN, SAVED, Place, draw_and_save, save_picture
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

plot_app = typer.Typer(
    no_args_is_help=True, help="Draw what is in the store: HTML, PNG, SVG, Vega-Lite JSON, and the numbers as Parquet."
)

Live = Annotated[
    bool,
    typer.Option("--live", help="Draw trials in training, too, as they were last evaluated, where one sweep runs."),
]
AxisX = Annotated[str | None, typer.Option(help="Axis to the right; by default the first one that the sweep varies.")]
AxisY = Annotated[str | None, typer.Option(help="Axis upwards; by default the second one that the sweep varies.")]


@plot_app.command("phase")
@with_options(DRAWN)
def plot_phase(
    files: Annotated[
        list[Path], typer.Argument(help="Sweep files (TOML); several are drawn side by side.", metavar="FILE...")
    ],
    metric: Annotated[
        str, typer.Option(help="What is drawn: <split>_<metric>, or a column of numbers such as seconds.")
    ] = PHASE_METRIC,
    x: AxisX = None,
    y: AxisY = None,
    facet: Annotated[str | None, typer.Option(help="Axis with one row of panels for each value.")] = None,
    column: Annotated[str | None, typer.Option(help="Axis with one column of panels for each value.")] = None,
    threshold: Threshold = PHASE_THRESHOLD,
    refined: Annotated[
        bool, typer.Option("--refined", help="Draw where the metric crosses --level, as lrsym refine finds it.")
    ] = False,
    level: Annotated[
        float, number("level", help="With --refined: accuracy at which the boundary runs.")
    ] = PHASE_THRESHOLD,
    minus: Annotated[
        bool, typer.Option("--minus", help="Of two files: the first minus the second in each cell, paired by seed.")
    ] = False,
    live: Live = False,
    **place: Any,
) -> None:
    """Mean of a metric and phase of every cell, of one sweep or several, or the boundary of a refinement."""
    from lrsym.api import boundaries, pictures

    options: dict[str, Any] = {"metric": metric, "x": x, "y": y, "facet": facet}
    if refined:
        if len(files) > 1:
            raise UsageError(f"--refined draws one sweep, got {len(files)}; name one, or leave it out")
        if column is not None:
            raise UsageError(f"--refined draws no columns of panels, got --column {column}; leave one of them out")
        options["level"], name = level, f"phase-{metric}-refined"
        draw_and_save(boundaries.plot_refined, files, Place(**place), options, name=name)
        return
    name = f"phase-{'minus-' if minus else ''}{metric}{'-live' if live else ''}"
    options |= {"threshold": threshold, "minus": minus, "live": live, "column": column}
    draw_and_save(pictures.plot_phase, files, Place(**place), options, name=name)


@plot_app.command("probabilities")
@with_options(DRAWN)
def plot_probabilities(
    file: File,
    metric: Annotated[str, typer.Option(help="Accuracies that decide the phase: <split>_<metric>.")] = PHASE_METRIC,
    x: AxisX = None,
    y: AxisY = None,
    facet: Annotated[str | None, typer.Option(help="Axis with a panel for each value.")] = None,
    threshold: Threshold = PHASE_THRESHOLD,
    **place: Any,
) -> None:
    """How the seeds of each cell fall into the phases, with the interval of the commonest one's probability."""
    from lrsym.api import boundaries

    options = {"metric": metric, "x": x, "y": y, "facet": facet, "threshold": threshold}
    draw_and_save(boundaries.plot_probabilities, [file], Place(**place), options, name=f"probabilities-{metric}")


@plot_app.command("boundary")
@with_options({**BOUNDARY, **DRAWN})
def plot_boundary(files: Files, **given: Any) -> None:
    """Where along an axis half of the seeds reach a level, with intervals; of several, how far they lie apart."""
    from lrsym.api import boundaries
    from lrsym.api.arguments import refuse_searches

    refuse_searches(files, "a boundary")
    options = {name: given.pop(name) for name in BOUNDARY}
    draw_and_save(boundaries.plot_boundary, files, Place(**given), options, name=f"boundary-{options['metric']}")


@plot_app.command("line")
@with_options(DRAWN)
def plot_line(
    files: Annotated[
        list[Path], typer.Argument(help="Sweep files (TOML); each has rows of panels.", metavar="FILE...")
    ],
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
    **place: Any,
) -> None:
    """Means of metrics along an axis, medians of steps, in bands, a colour for each value of another one."""
    from lrsym.api import pictures
    from lrsym.results.analysis.metrics import as_metrics

    options = {"metric": metric, "x": x, "color": color, "facet": facet, "band": band, "live": live}
    named = {**options, "band": None if band == "interval" else band}
    name = f"line-{'-'.join(as_metrics(metric))}{'-live' if live else ''}"
    draw_and_save(pictures.plot_line, files, Place(**place), options, name=name, named=named)


@plot_app.command("curves")
@with_options(DRAWN)
def plot_curves(
    file: File,
    metric: Annotated[str, typer.Option(help="order, inset, global, labelset or loss.")] = "order",
    color: Annotated[str | None, typer.Option(help="Axis shown by colour instead of by panels.")] = None,
    live: Live = False,
    **place: Any,
) -> None:
    """Learning curves of every split, over steps."""
    from lrsym.api import pictures

    options, name = {"metric": metric, "color": color, "live": live}, f"curves-{metric}{'-live' if live else ''}"
    draw_and_save(pictures.plot_curves, [file], Place(**place), options, name=name)


@plot_app.command("ablation")
@with_options(DRAWN)
def plot_ablation(
    file: File, split: Annotated[str, typer.Option(help="unseen or seen.")] = "unseen", **place: Any
) -> None:
    """Accuracies with each score term left out at inference."""
    from lrsym.api import mechanism_pictures as pictures

    draw_and_save(pictures.plot_ablation, [file], Place(**place), {"split": split}, name=f"ablation-{split}")


@plot_app.command("mechanism")
@with_options(DRAWN)
def plot_mechanism(
    file: File,
    x: AxisX = None,
    y: AxisY = None,
    facet: Annotated[str | None, typer.Option(help="Axis with a panel for each value.")] = None,
    **place: Any,
) -> None:
    """By which path each cell's seeds read order on unseen pairs: through the scores or the values."""
    from lrsym.api import mechanism_pictures as pictures

    options = {"x": x, "y": y, "facet": facet}
    draw_and_save(pictures.plot_mechanism, [file], Place(**place), options, name="mechanism")


@plot_app.command("onset")
@with_options(DRAWN)
def plot_onset(file: File, **place: Any) -> None:
    """When order, attention by side and path come along training, in trials with eval.mechanism = "points"."""
    from lrsym.api import mechanism_pictures as pictures

    draw_and_save(pictures.plot_onset, [file], Place(**place), {}, name="onset")


@plot_app.command("symmetry")
@with_options(DRAWN)
def plot_symmetry(
    file: File,
    x: AxisX = None,
    color: Annotated[
        str | None, typer.Option(help="Axis that is the size; by default the second one that the sweep varies.")
    ] = None,
    **place: Any,
) -> None:
    """Sign, size and fluctuations of the slope of each seed along an axis: is it a phase transition?"""
    from lrsym.api import mechanism_pictures as pictures

    draw_and_save(pictures.plot_symmetry, [file], Place(**place), {"x": x, "color": color}, name="symmetry")


@plot_app.command("profile")
@with_options(DRAWN)
def plot_profile(file: File, **place: Any) -> None:
    """What each head adds to the logit along the pixels, term by term, for one cell."""
    from lrsym.api import mechanism_pictures as pictures

    draw_and_save(pictures.plot_profile, [file], Place(**place), {}, name="profile")


@plot_app.command("cost")
@with_options(DRAWN)
def plot_cost(
    file: File,
    by: Annotated[str | None, typer.Option(help="Axis; by default the first one that the sweep varies.")] = None,
    **place: Any,
) -> None:
    """Where the hours went, by outcome, and what one trial takes, along an axis."""
    from lrsym.api import pictures

    draw_and_save(pictures.plot_cost, [file], Place(**place), {"by": by}, name="cost")


@plot_app.command("contrast")
@with_options({**CONTRAST, **DRAWN})
def plot_contrast(file: File, **given: Any) -> None:
    """How far metrics differ between two values of an axis, paired by seed, each with its interval."""
    from lrsym.api import pictures
    from lrsym.results.analysis.metrics import as_metrics

    options = {name: given.pop(name) for name in CONTRAST}
    named = {"of": " ".join(options["of"]), "against": " ".join(options["against"]), "by": options["by"]}
    name, options = f"contrast-{'-'.join(as_metrics(options['metric']))}", {**options, **parse_sides(options)}
    draw_and_save(pictures.plot_contrast, [file], Place(**given), options, name=name, named=named)


@plot_app.command("search")
@with_options(SAVED)
def plot_search(file: File, **place: Any) -> None:
    """How a search went, which axes decide, and the objective along each; with several objectives the Pareto front."""
    from lrsym.api import pictures
    from lrsym.api.arguments import as_sweep

    given = Place(**place)
    search = as_sweep(file, given.set_ or ())
    chart = pictures.plot_search(search, results=given.results)
    save_picture(chart, search.name, given, {}, changes=given.set_ or (), name="search")
