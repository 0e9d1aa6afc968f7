"""Best mean so far by cells trained: TPE and GP against random draws, on the real trainer.

Each search is of one seed; its best is the cell with the highest mean over its replicates among those trained so far.
That mean is optimistic, for all samplers alike. All searches of a round share one store, so that a cell which two of
them ask for is trained once; none is told what another has found.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure
from lrsym.results.store.store import Store
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep_file import load_any

SAMPLERS = ("tpe", "gp", "random")
PACK, WORKERS, REPLICATES = 8, 2, 3

FILE = """\
# Question: how good is a sampler?
# Cost: see benchmarks
# Command: python -m benchmarks
name = "search_quality"
replicates = {replicates}
[base]
"optim.steps" = {steps}
"optim.batch_size" = 50
"eval.points" = 2
[search]
sampler = "{sampler}"
seed = {seed}
budget = {cells}
maximise = "unseen_order"
reuse = false
[search.space]
"optim.learning_rate" = {{ low = 1e-4, high = 1e-2, log = true }}
"optim.weight_decay" = {{ low = 0.01, high = 3.0, log = true }}
"model.embedding_scale" = {{ low = 1.0, high = 50.0, log = true }}
"model.init_position_std" = {{ low = 0.005, high = 0.5, log = true }}
"""


def measure(*, cells: int, steps: int, seeds: int) -> list[Figure]:
    """Figures of `seeds` searches by each sampler, of `cells` cells of trials of `steps` steps."""
    best: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            for sampler in SAMPLERS:
                so_far = best_so_far(Path(folder), sampler=sampler, seed=seed, cells=cells, steps=steps)
                for number, value in enumerate(so_far, start=1):
                    best.setdefault((sampler, number), []).append(value)
    marks = [n for n in (10, 20, 30, 40, 60) if n <= cells] or [cells]
    return [
        Figure.of(best[sampler, n], benchmark=f"best of {n} cells, {steps} steps", variant=sampler, unit="unseen_order")
        for n in marks
        for sampler in SAMPLERS
    ]


def best_so_far(folder: Path, *, sampler: str, seed: int, cells: int, steps: int) -> list[float]:
    """The best objective among the first n cells of one search, for each n."""
    file, results = folder / f"{sampler}-{seed}.toml", folder / "results"
    text = FILE.format(sampler=sampler, seed=seed, cells=cells, steps=steps, replicates=REPLICATES)
    file.write_text(text)
    words = ["sweep", str(file), "--results", str(results), "--pack", str(PACK), "--workers", str(WORKERS), "--json"]
    subprocess.run([sys.executable, "-m", "lrsym", *words], check=True, capture_output=True)
    search = load_any(file)
    assert isinstance(search, Search)
    rows = Store(str(results)).scan("suggestions").filter(search=search.key).sort("number").collect()
    objectives = [row["objective"][0] if row["objective"] else 0.0 for row in rows.iter_rows(named=True)]
    return [max(objectives[: n + 1]) for n in range(cells)]
