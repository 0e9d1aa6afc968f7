"""Shards: the packs of a whole sweep dealt out to so many commands, whatever is trained already.

Which trials a shard has follows from the sweep and the number of shards alone, not from the store, the machine, --pack
or --workers: commands that never hear of each other overlap in nothing and leave nothing out, at any time.
"""

import heapq
import re
from dataclasses import dataclass
from typing import Self

from lrsym.errors import UsageError
from lrsym.sweep.planning.packing import PackList, default_pack_size, group_by_shape
from lrsym.sweep.planning.workload import rough_seconds
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.toml_source import show


@dataclass(frozen=True)
class Shard:
    """Shard `number` of `of`, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that `text` names as I/N. Raises UsageError for anything else."""
        found = re.fullmatch(r"0*([1-9][0-9]{0,5})/0*([1-9][0-9]{0,5})", text, flags=re.ASCII)
        if not found or int(found[1]) > int(found[2]):
            raise UsageError(f"--shard must be I/N with I from 1 to N, got {show(text)}; write for example --shard 3/8")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def places(self, sweep: Sweep) -> list[int]:
        """Return the places of its trials in `sweep`, ascending; none where there are fewer packs than shards.

        The packs that as many workers would get, the longest first, each go to the shard that has the least to do yet.
        """
        groups = group_by_shape(sweep.trials, sweep.shape_numbers())
        size = default_pack_size(groups, workers=self.of, device="cpu")  # a rule; each shard makes packs of its own
        packs, mine = PackList(sweep.trials, groups, size=size), list[int]()
        busy = [(0.0, number) for number in range(1, self.of + 1)]
        for (example, n_trials, _), places in zip(packs.sizes(), packs.places(), strict=True):
            seconds, number = busy[0]
            heapq.heapreplace(busy, (seconds + rough_seconds(example, n_trials), number))
            if number == self.number:
                mine += places
        return sorted(mine)
