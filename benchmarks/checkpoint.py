"""What a checkpoint of a pack of 8 costs: its seconds, and the share of the time at one every 30 seconds.

Written as in a sweep, flushed to the disk of the temporary folder, after steps that have filled the optimiser's state.
"""

import tempfile
import time
from pathlib import Path

from benchmarks import step
from benchmarks.figures import Figure
from lrsym.config.trial import Trial
from lrsym.sweep.execution.checkpoint import CHECKPOINT_INTERVAL_SECONDS, CheckpointFile
from lrsym.sweep.execution.rows import PackRows
from lrsym.sweep.planning.pack import Pack
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import Training


def measure(*, repeats: int) -> list[Figure]:
    """Figures of `repeats` checkpoints of the recipe."""
    pack = [Trial.from_axes({"seed": seed}) for seed in range(8)]
    training = Training(pack, PackData.of(pack, device=step.CPU), device=step.CPU)
    rows, taken = PackRows(pack), []
    for _ in range(3):
        training.advance()
    with tempfile.TemporaryDirectory() as folder:
        file = CheckpointFile(folder, Pack(tuple(pack)))
        for _ in range(repeats):
            started = time.perf_counter()
            file.save(training.state(), rows.state(), seconds=0.0)
            taken.append(time.perf_counter() - started)
        size = (Path(folder) / file.name).stat().st_size
    shares = [100 * seconds / (CHECKPOINT_INTERVAL_SECONDS + seconds) for seconds in taken]
    return [
        Figure.of([1e3 * s for s in taken], benchmark="checkpoint", variant="writing", unit="ms"),
        Figure.of([size / 1e6], benchmark="checkpoint", variant="size", unit="MB"),
        Figure.of(shares, benchmark="checkpoint", variant="share of the time", unit="%"),
    ]
