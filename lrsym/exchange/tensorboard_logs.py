"""Trials as runs of TensorBoard: event files with every curve, and the axes that a sweep varies as hyperparameters.

They are written with tensorboardX, which Ray Tune brings: TensorBoard itself is needed to look at them alone.
"""

from pathlib import Path
from shlex import quote

from lrsym.exchange.outcome import Exported, tool
from lrsym.exchange.run import STATUS_TAG, Run, runs
from lrsym.exchange.run_folders import export_runs
from lrsym.exchange.selection import Selection
from lrsym.vocabulary import is_accuracy


def export_tensorboard(chosen: Selection, out: Path) -> Exported:
    """Write a folder of event files for each trial into the folder `out`; raises UsageError as `export_runs`."""
    tool("tensorboardX", to="tensorboard")  # asked for before anything is written
    return export_runs(runs(chosen), out, write=_write, look=f"look at it: tensorboard --logdir {quote(str(out))}")


def _write(run: Run, folder: Path) -> Path:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.summary import hparams

    events = tool("tensorboardX.proto.event_pb2", to="tensorboard")
    summaries = tool("tensorboardX.proto.summary_pb2", to="tensorboard")

    made = folder / run.name
    made.mkdir()
    when = 0.0 if run.ended is None else run.ended.timestamp()
    writer = EventsWriter(str(made / "events"))
    told = {name: run.parameters[name] for name in run.varied or run.parameters if name in run.parameters}
    told["status"] = run.tags[STATUS_TAG]
    for summary in hparams(told, dict.fromkeys(map(_tag, run.series()), 0.0)):
        writer.write_event(events.Event(wall_time=when, summary=summary))
    for step, values in run.by_step().items():
        numbers = [summaries.Summary.Value(tag=_tag(name), simple_value=value) for name, value in values.items()]
        writer.write_event(events.Event(wall_time=when, step=step, summary=summaries.Summary(value=numbers)))
    writer.close()
    return made


def _tag(name: str) -> str:
    """Return a name with what TensorBoard groups it by before a slash: accuracies by metric."""
    if is_accuracy(name):
        return f"{name.partition('_')[2]}/{name}"
    return f"steps_to/{name}" if name.startswith("steps_to_") else name
