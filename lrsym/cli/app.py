"""The command line: parsing and printing only; each verb imports what it needs when it runs."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lrsym.cli.claims import claims
from lrsym.cli.explain import explain
from lrsym.cli.options import (
    RESULTS,
    Device,
    Engine,
    File,
    Json,
    NoPilot,
    Pack,
    Results,
    SaveWeights,
    Timeout,
    Workers,
    chosen_for,
    command_line,
    load_sweep,
    of_sweep,
    resolve,
    show,
    sweep_command,
)
from lrsym.cli.plan import plan
from lrsym.cli.plot import plot_app
from lrsym.errors import UsageError, first_line

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Sweeps of CLIP-style models that learn 'left of': plan, train, read, draw.",
)
app.add_typer(plot_app, name="plot")
app.command("claims")(claims)
app.command("plan")(plan)


@app.command()
def sweep(
    file: File,
    results: Results = RESULTS,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    timeout: Timeout = None,
    no_pilot: NoPilot = False,
    save_weights: SaveWeights = False,
    json: Json = False,
) -> None:
    """Train what is new or failed; run it again to go on after a stop."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import run
    from lrsym.sweep.execution.progress import duration, failures, retried
    from lrsym.sweep.pilot.summary import in_words

    spec = load_sweep(file)
    settings = resolve(engine=engine, device=device, workers=workers, pack=pack, timeout=timeout, pilot=not no_pilot)
    choice = chosen_for(spec, results, settings)
    todo = choice.plan
    base = {"sweep": spec.name, "trials": todo.trials, "reused": todo.done}
    given = {
        "workers": workers, "pack": pack, "device": device, "engine": engine, "timeout": timeout,
        "no-pilot": no_pilot, "save-weights": save_weights,
    }  # fmt: skip
    again = sweep_command(file, results, choice, given)
    if not todo.pending:
        show(base | {"pending": 0}, [f"{spec.name}: all {todo.trials} trials are in {results}"], as_json=json)
        return
    if not json:
        typer.echo("\n".join(in_words(choice, device=settings.device)))
    outcome = run(todo, Store(str(results)), replace(settings, save_weights=save_weights))
    done = outcome.statuses["done"]
    report = base | {
        "run_id": outcome.run_id, "statuses": dict(outcome.statuses), "pending": outcome.pending,
        "interrupted": outcome.interrupted, "seconds": round(outcome.seconds, 1), "engine": settings.engine,
        "pack": choice.pack_size, "workers": todo.workers, "why": choice.why,
    }  # fmt: skip
    text = [
        f"{spec.name}: {done} trials trained in {duration(outcome.seconds)}{failures(outcome.statuses)}, "
        f"{todo.done} reused; rows in {results}"
    ]
    if outcome.interrupted:
        kept = "finished packs are kept, others go on from their last checkpoint if they have one"
        text.append(f"stopped with {outcome.pending} trials left; {kept}. Go on: {again}")
    elif retried(outcome.statuses):
        text.append(f"see why: {command_line('status', file, results)}; try the failed ones again: {again}")
    show(report, text, as_json=json)
    if code := 128 + outcome.stopped_by if outcome.stopped_by else int(retried(outcome.statuses) > 0):
        raise typer.Exit(code)


@app.command()
def status(file: File, results: Results = RESULTS, json: Json = False) -> None:
    """How far a sweep is: trials by status, and what went wrong."""
    import polars as pl

    from lrsym.sweep.execution.checkpoint import list_checkpoints
    from lrsym.vocabulary import FINAL_STATUSES

    spec = load_sweep(file)
    frame = of_sweep(spec, results, "trials")
    counts = dict(frame.group_by("status").len().sort("status").collect().iter_rows())
    wrong = frame.filter(pl.col("message").is_not_null()).group_by("status", "message").len()
    messages = wrong.sort("len", descending=True).limit(5).collect().to_dicts()
    missing = len(spec.trials) - sum(counts.values())
    ended = frame.filter(pl.col("status").is_in(FINAL_STATUSES)).select("trial_id").collect().to_series()
    unfinished = {trial.trial_id for trial in spec.trials}.difference(ended)
    under_way = [(len(pack), done) for pack, done in list_checkpoints(str(results)) if unfinished.issuperset(pack)]
    kept = sum(n for n, _ in under_way)
    report = {"sweep": spec.name, "trials": len(spec.trials), "statuses": counts, "missing": missing}
    report["checkpointed"] = kept
    listed = ", ".join(f"{n} {name}" for name, n in counts.items()) or "none trained"
    place = results if results.is_dir() else f"{results}, which is not there yet"
    text = [f"{spec.name}: {len(spec.trials)} trials: {listed}, {missing} missing in {place}"]
    if kept:
        mean = sum(n * done for n, done in under_way) / kept
        text.append(f"  {kept} unfinished trials have a checkpoint, at {mean:.0%} of their steps")
    text += [f"  {m['len']} x {m['status']}: {m['message']}" for m in messages]
    show(report | {"messages": messages}, text, as_json=json)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="Polars SQL over trials, curves, ablations, terms and runs.")],
    results: Results = RESULTS,
    sweep: Annotated[Path | None, typer.Option("--sweep", help="Only trials of this sweep file.")] = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask the tables in SQL."""
    import polars as pl

    from lrsym.results.store.schema import TABLES
    from lrsym.results.store.store import load

    if json and csv:
        raise UsageError("--json and --csv exclude each other; choose one")
    if not results.is_dir():
        raise UsageError(f"there are no results in {results}; train a sweep first, or name their folder with --results")
    ids = None if sweep is None else [trial.trial_id for trial in load_sweep(sweep).trials]
    try:
        tables = {
            name: load(results, name, trial_ids=ids if "trial_id" in table.key else None)
            for name, table in TABLES.items()
        }
        frame = pl.SQLContext(tables, eager=True).execute(sql)
    except pl.exceptions.PolarsError as error:
        tables = ", ".join(TABLES)
        raise UsageError(
            f"query failed: {first_line(error)}; tables are {tables}, their columns: lrsym columns"
        ) from None
    if not frame.width:  # polars answers every statement but SELECT, though there is nothing to change
        raise UsageError("query gave no table; ask with SELECT: results are read here, never changed")
    if json:
        typer.echo(frame.write_json())
    elif csv:
        nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
        if nested:
            raise UsageError(f"CSV holds no lists, and {', '.join(nested)} is one; leave it out or use --json")
        typer.echo(frame.write_csv(), nl=False)
    else:
        with pl.Config(
            tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True,
            tbl_width_chars=_width(), fmt_str_lengths=60, tbl_formatting="UTF8_FULL_CONDENSED",
        ):  # fmt: skip
            typer.echo(frame)


app.command()(explain)


@app.command()
def compact(results: Results = RESULTS, json: Json = False) -> None:
    """Merge the many small files of finished packs into one for each table."""
    from lrsym.results.store.store import Store

    merged = Store(str(results)).compact()
    text = f"{merged} files merged in {results}" if merged else f"nothing to merge in {results}"
    show({"merged_files": merged}, [text], as_json=json)


@app.command()
def axes(json: Json = False) -> None:
    """The keys of a sweep file: type, bounds, default, unit, source."""
    from lrsym.config.axes import as_markdown, axes

    rows = [{**vars(a), "key": a.key, "type": a.type.__name__} for a in axes()]
    show({"axes": rows}, [as_markdown().rstrip()], as_json=json)


@app.command()
def columns(json: Json = False) -> None:
    """The tables of the store: column, type, unit, meaning."""
    from lrsym.results.store.schema import TABLES, as_markdown

    tables = {
        name: [{"name": c.name, "type": str(c.type), "unit": c.unit, "sentence": c.sentence} for c in table.columns]
        for name, table in TABLES.items()
    }
    show({"tables": tables}, [as_markdown().rstrip()], as_json=json)


def main() -> None:
    """Entry point: what a user can mend is one line on standard error and exit code 2."""
    try:
        app()
    except UsageError as error:
        _leave(str(error))
    except OSError as error:
        if error.filename is None:  # no path to check: not a user's mistake
            raise
        _leave(f"{error.filename}: {error.strerror}; check path, permissions and free space")
    except Exception as error:
        polars = sys.modules.get("polars")
        if polars is None or not isinstance(error, (polars.exceptions.ComputeError, polars.exceptions.SchemaError)):
            raise  # not of the files: a mistake of ours
        why = first_line(error)
        _leave(f"a table in the results cannot be read: {why}; move foreign or damaged files out of the folder")


def _leave(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    sys.exit(2)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((160, 40)).columns
