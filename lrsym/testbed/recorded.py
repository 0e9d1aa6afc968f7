"""A training step recorded once on a GPU (CUDA graph) and played from then on, without Python in between.

The step must read and write the same tensors each time and no value of them on the host. Written after torch's
documentation of CUDA graphs; not run on a GPU yet.
"""

from collections.abc import Callable

import torch

WARM_UP = 3
"""Steps before the recording, in which libraries choose their kernels and optimisers make their state."""


class Recorded:
    """Calls `run` as it is for a few times, then plays its recording."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run, self._calls = run, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._aside = torch.cuda.Stream()

    def __call__(self) -> None:
        """One step."""
        self._calls += 1
        if self._calls <= WARM_UP:
            # In a stream of its own, as the recording will be.
            self._aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._aside):
                self._run()
            torch.cuda.current_stream().wait_stream(self._aside)
            return
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._run()  # recorded, not executed
        self._graph.replay()
