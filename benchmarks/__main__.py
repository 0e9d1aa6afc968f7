"""`python -m benchmarks`: take the figures of every part, or of the parts named, and print the table.

A part that is taken replaces its own rows, so one can be taken anew without the others.
"""

import argparse
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import (
    against_ray,
    checkpoint,
    cost,
    dense,
    driver,
    engines,
    expert,
    figures,
    floor,
    overhead,
    peers,
    picture,
    replay,
    replay_picture,
    scale,
    search_ask,
    search_quality,
    search_stopping,
    search_time,
    slots,
    status,
    step,
    stopping,
)

HERE = Path(__file__).parent
RESULTS = HERE / "results.parquet"
PICTURES = HERE.parent / "docs" / "pictures"
QUICK_RESULTS = HERE / "out" / "quick.parquet"
"""A smoke test must not replace figures that took minutes."""


@dataclass(frozen=True)
class Part:
    """A part: what takes its figures, and with which settings, in earnest and as a smoke test."""

    measure: Callable[..., list[figures.Figure]]
    full: Mapping[str, Any]
    quick: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What the part is about: the head of its module."""
        return (inspect.getdoc(inspect.getmodule(self.measure)) or "").splitlines()[0]


FULL_LENGTH: dict[str, Any] = {"trials": 16, "steps": 3000, "baselines": [against_ray.PLAIN]}

PARTS = {
    "step": Part(step.measure, {"steps": 32, "repeats": 10}, {"steps": 2, "repeats": 2, "checked": 4}),
    "dense": Part(dense.measure, {"steps": 4, "repeats": 7}, {"steps": 1, "repeats": 1, "checked": 2}),
    "expert": Part(expert.measure, {"steps": 16, "repeats": 7}, {"steps": 2, "repeats": 1}),
    "floor": Part(floor.measure, {"steps": 16, "repeats": 20}, {"steps": 2, "repeats": 2}),
    "plain_ray": Part(
        against_ray.measure,
        {"trials": 16, "steps": 150, "repeats": 5, "baselines": [against_ray.PLAIN, against_ray.LOGGED]},
        {
            "trials": 2,
            "steps": 4,
            "repeats": 1,
            "baselines": [against_ray.PLAIN, against_ray.LOGGED],
            "batch_sizes": [50],
        },
    ),
    "full_length_50": Part(against_ray.measure, {**FULL_LENGTH, "repeats": 5, "batch_sizes": [50]}),
    "full_length_256": Part(against_ray.measure, {**FULL_LENGTH, "repeats": 5, "batch_sizes": [256]}),
    "engines": Part(
        engines.measure, {"trials": 16, "steps": 200, "repeats": 3}, {"trials": 4, "steps": 10, "repeats": 1}
    ),
    "overhead": Part(
        overhead.measure,
        {"trials": 300, "steps": 600, "repeats": 1},
        {"trials": 4, "steps": 20, "repeats": 1, "engines": ["local"]},
    ),
    "overhead_recipe": Part(overhead.measure, {"trials": 300, "steps": 3000, "repeats": 1}),
    "driver": Part(
        driver.measure, {"sizes": [2_500, 10_000, 100_000, 1_000_000], "repeats": 10}, {"sizes": [2_500], "repeats": 2}
    ),
    "slots": Part(
        slots.measure,
        {"trials": 100_000, "pack": 100, "seconds": 5.0, "slots": 100, "repeats": 1},
        {"trials": 2_500, "pack": 100, "seconds": 0.5, "slots": 5, "repeats": 1},
    ),
    "slots_ray": Part(
        slots.measure_ray,
        {"trials": 32_500, "pack": 100, "seconds": 5.0, "slots": 32},
        {"trials": 2_500, "pack": 100, "seconds": 0.5, "slots": 2},
    ),
    "status": Part(status.measure, {"parts": 50_000, "repeats": 5}, {"parts": 1000, "repeats": 1}),
    "status_s3": Part(
        status.measure_s3,
        {"parts": 50_000, "repeats": 5, "delay": 0.005},
        {"parts": 1000, "repeats": 1, "delay": 0.005},
    ),
    "checkpoint": Part(checkpoint.measure, {"repeats": 10}, {"repeats": 2}),
    "search_ask": Part(
        search_ask.measure,
        {"told": (60, 400, 1000), "slowest": 400, "repeats": 5},
        {"told": (20,), "slowest": 20, "repeats": 1},
    ),
    "search_stopping": Part(search_stopping.measure, {"orders": 50}, {"orders": 1}),
    "search_time": Part(
        search_time.measure,
        {"cells": 16, "steps": 300, "batch_size": 256, "repeats": 3},
        {"cells": 2, "steps": 4, "batch_size": 16, "repeats": 1},
    ),
    "search_quality": Part(
        search_quality.measure, {"cells": 40, "steps": 300, "seeds": 10}, {"cells": 3, "steps": 4, "seeds": 1}
    ),
    "stopping": Part(stopping.measure, {"repeats": 10, "steps": 20}, {"repeats": 1, "steps": 1}),
    "refine": Part(
        replay.measure,
        {"seeds": 12, "path": replay.CURVES},
        {"seeds": 2, "grids": ["2 axes"], "path": HERE / "out" / "replay.parquet"},
    ),
    "scale": Part(
        scale.measure, {"sizes": (10_000, 100_000, 1_000_000), "repeats": 3}, {"sizes": (1000,), "repeats": 1}
    ),
    "peers": Part(peers.measure, {"sizes": {10_000: 3, 100_000: 1}}, {"sizes": {1000: 1}}),
    "cost": Part(cost.measure, {"repeats": 1}, {"repeats": 1, "steps": 4, "axes": {"workers": [2]}}),
}
ONLY_WHEN_NAMED = (
    "full_length_50", "full_length_256", "overhead_recipe", "search_time", "search_quality", "refine", "slots",
    "slots_ray", "status", "status_s3", "peers", "driver",
)  # fmt: skip
"""From some minutes to an hour and a half each."""


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    told = f"any of {', '.join(PARTS)}; all where none is named, but {', '.join(ONLY_WHEN_NAMED)}"
    parser.add_argument("parts", nargs="*", metavar="PART", help=told)
    parser.add_argument("--quick", action="store_true", help="few repeats: does everything work? Figures mean little")
    parser.add_argument("--markdown", action="store_true", help="print the table as it is; measure nothing")
    asked = parser.parse_args()
    if unknown := {*asked.parts} - {*PARTS}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not asked.markdown:
        take(asked.parts or [name for name in PARTS if name not in ONLY_WHEN_NAMED], quick=asked.quick)
    path = QUICK_RESULTS if asked.quick else RESULTS
    if not path.exists():
        parser.error(f"{path.name} is not there yet; take figures first, without --markdown")
    print(figures.markdown(path, parts={name: part.sentence for name, part in PARTS.items()}))


def take(names: Iterable[str], *, quick: bool) -> None:
    """Take the figures of the parts `names`, each written as soon as it is taken; the picture follows its part."""
    path, pictures = (QUICK_RESULTS, QUICK_RESULTS.parent) if quick else (RESULTS, PICTURES)
    for name in names:
        part = PARTS[name]
        settings = part.quick if quick else part.full
        taken = part.measure(**settings)
        command = ["python", "-m", "benchmarks", name, *(["--quick"] if quick else [])]
        figures.write(taken, path, part=name, command=command)
        if name in {"cost", "driver"}:
            picture.draw(path).save(pictures / "cost.png", format="png", scale_factor=2)
        if name == "refine":
            replay_picture.draw(settings["path"]).save(pictures / "refine.png", format="png", scale_factor=1)


if __name__ == "__main__":
    main()
