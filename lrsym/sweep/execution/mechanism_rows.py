"""Rows of the mechanism, by table: of the end of training, and along training."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lrsym.config.trial import Trial
from lrsym.results.store.schema import ALONG_TRAINING, TABLES

if TYPE_CHECKING:
    from lrsym.testbed.evaluation import Accuracies
    from lrsym.testbed.mechanism.confusions import Shares
    from lrsym.testbed.mechanism.measures import Measure
    from lrsym.testbed.mechanism.mechanism import Profile

Row = dict[str, object]


def ablation_rows(trials: Sequence[Trial], ablations: "Iterable[tuple[str, Accuracies]]") -> Iterator[Row]:
    """Yield the rows of the table ablations of `trials`, the members that the accuracies are of."""
    for term, accuracies in ablations:
        yield from _accuracy_rows(trials, accuracies, term=term)


def text_ablation_rows(trials: Sequence[Trial], ablations: "Iterable[tuple[str, str, Accuracies]]") -> Iterator[Row]:
    """Yield the rows of the table text_ablations."""
    for encoder, term, accuracies in ablations:
        yield from _accuracy_rows(trials, accuracies, encoder=encoder, term=term)


def _accuracy_rows(trials: Sequence[Trial], accuracies: "Accuracies", **named: str) -> Iterator[Row]:
    for trial, metrics in zip(trials, accuracies.members(), strict=True):
        for (split, metric), value in metrics.items():
            if value is not None:
                yield {"trial_id": trial.trial_id, **named, "split": split, "metric": metric, "value": value}


def term_rows(trials: Sequence[Trial], profiles: "Iterable[Iterable[Profile]]") -> Iterator[Row]:
    """Yield the rows of the table terms."""
    for trial, of_member in zip(trials, profiles, strict=True):
        for p in of_member:
            yield {
                "trial_id": trial.trial_id, "encoder": p.encoder, "head": p.head, "term": p.term, "query": p.query,
                "profile": p.values.tolist(), "slope": p.slope, "monotonicity": p.monotonicity, "ramp": p.ramp,
            }  # fmt: skip


def measure_rows(trials: Sequence[Trial], measures: "Iterable[Iterable[Measure]]") -> Iterator[Row]:
    """Yield the rows of the table measures."""
    for trial, of_member in zip(trials, measures, strict=True):
        yield from ({"trial_id": trial.trial_id, **vars(measure)} for measure in of_member)


def confusion_rows(trials: Sequence[Trial], confusions: "Iterable[Shares]") -> Iterator[Row]:
    """Yield the rows of the table confusions."""
    for trial, of_member in zip(trials, confusions, strict=True):
        for (split, winner), share in of_member.items():
            yield {"trial_id": trial.trial_id, "split": split, "winner": winner, "share": share}


class MechanismAlong:
    """The tables of `ALONG_TRAINING` as they come in, one evaluation after the other.

    They are kept as Arrow tables: of many evaluations there are millions of rows, and a checkpoint holds them all.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[pa.Table]] = {name: [] for name in ALONG_TRAINING.values()}

    def add(self, step: int, rows: Mapping[str, Iterable[Row]]) -> None:
        """Add `rows` of an evaluation after `step` steps, by the table of the end of training that they are like."""
        for table, name in ALONG_TRAINING.items():
            self._parts[name].append(TABLES[name].build({**row, "step": step} for row in rows[table]))

    def tables(self) -> dict[str, pa.Table]:
        """Return what has come in, by table; nothing where nothing has."""
        return {name: pa.concat_tables(parts).combine_chunks() for name, parts in self._parts.items() if parts}

    def state(self) -> dict[str, str]:
        """Return what has come in as texts, compressed."""
        return {name: _text_of(table) for name, table in self.tables().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take on what `state` gave."""
        for name, text in state.items():
            self._parts[name] = [pa.ipc.open_stream(base64.b64decode(text)).read_all()]


def _text_of(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()
