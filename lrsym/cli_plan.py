"""The verb `lrsym plan`: what a sweep would train, and what it will cost."""

import typer

from lrsym.cli_common import (
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
    command_line,
    load_sweep,
    resolve,
    show,
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
    from lrsym.sweep.cost_text import as_data, in_words

    sweep = load_sweep(file)
    settings = resolve(engine=engine, device=device, workers=workers, pack=pack, pilot=not no_pilot)
    for warning in sweep.warnings:
        typer.echo(f"warning: {warning}", err=True)
    choice = chosen_for(sweep, results, settings, told=True)
    todo = choice.plan
    if choice.pilot_seconds is not None:  # the command repeats what was chosen, and so needs no pilot of its own
        pack = str(choice.pack_size)
    command = command_line(
        "sweep",
        file,
        results,
        {"workers": todo.workers, "pack": pack, "device": device, "engine": engine, "no-pilot": no_pilot},
    )
    report = {
        "sweep": sweep.name, "trials": todo.trials, "new": todo.new, "done": todo.done, "failed": todo.failed,
        "diverged": todo.diverged, "packs": len(todo.packs), "largest_pack": todo.largest_pack,
        "engine": settings.engine, "device": settings.device, "command": command,
        **as_data(choice, device=settings.device),
    }  # fmt: skip
    text = [f"{sweep.name}: {todo.trials} trials = {todo.new} new, {todo.done} done, {todo.failed} failed before"]
    if todo.pending:
        packs = f"{len(todo.packs)} packs, the largest of {todo.largest_pack} trials"
        text += [f"{packs}; {todo.workers} at a time on {settings.device}"]
    text += in_words(choice, device=settings.device)
    show(report, [*text, f"run: {command}"] if todo.pending else text, as_json=json)
