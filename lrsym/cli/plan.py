"""The verb `lrsym plan`: what a sweep would train, and what it will cost."""

import typer

from lrsym.cli.options import (
    RESULTS,
    Device,
    Engine,
    File,
    Json,
    NoPilot,
    Pack,
    Results,
    Workers,
    chosen_for,
    load_sweep,
    resolve,
    show,
    sweep_command,
)


def plan(
    file: File,
    results: Results = RESULTS,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    no_pilot: NoPilot = False,
    json: Json = False,
) -> None:
    """What a sweep would train and cost: trials new, done and failed, packs, time, disk, and the command to run."""
    from lrsym.sweep.pilot.summary import as_data, in_words

    sweep = load_sweep(file)
    settings = resolve(engine=engine, device=device, workers=workers, pack=pack, pilot=not no_pilot)
    for warning in sweep.warnings:
        typer.echo(f"warning: {warning}", err=True)
    choice = chosen_for(sweep, results, settings, told=True)
    todo = choice.plan
    given = {"workers": workers, "pack": pack, "device": device, "engine": engine, "no-pilot": no_pilot}
    command = sweep_command(file, results, choice, given)
    report = {
        "sweep": sweep.name, "trials": todo.trials, "new": todo.new, "done": todo.done, "failed": todo.failed,
        "diverged": todo.diverged, "packs": len(todo.packs), "started_packs": len(todo.packs.started),
        "largest_pack": todo.largest_pack,
        "engine": settings.engine, "device": settings.device, "command": command,
        **as_data(choice, device=settings.device),
    }  # fmt: skip
    text = [f"{sweep.name}: {todo.trials} trials = {todo.new} new, {todo.done} done, {todo.failed} failed before"]
    if todo.pending:
        packs = f"{len(todo.packs)} packs, the largest of {todo.largest_pack} trials"
        going_on = f", {len(todo.packs.started)} of them going on from a checkpoint" if todo.packs.started else ""
        text += [f"{packs}{going_on}; {todo.workers} at a time on {settings.device}"]
    text += in_words(choice, device=settings.device)
    show(report, [*text, f"run: {command}"] if todo.pending else text, as_json=json)
