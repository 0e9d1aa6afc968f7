"""A training step recorded once on a GPU (CUDA graph) and played from then on, without Python in between.

The step must read and write the same tensors each time and no value of them on the host. Written after torch's
documentation of CUDA graphs; not run on a GPU yet.
"""

from collections.abc import Callable

import torch

WARM_UP = 3
"""Number of steps before the recording, in which libraries choose their kernels and take their memory."""


class CudaGraph:
    """Calls what it is given as it is for a few times, then plays its recording."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._calls = device, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._aside = torch.cuda.Stream(device)

    def __call__(self, run: Callable[[], None]) -> None:
        """Take one step; `run` is the same each time, and not kept: it may hold all that a training holds."""
        with torch.cuda.device(self._device):
            self._step(run)

    def _step(self, run: Callable[[], None]) -> None:
        self._calls += 1
        if self._calls <= WARM_UP:
            # In a stream of its own, as the recording will be.
            self._aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._aside):
                run()
            torch.cuda.current_stream().wait_stream(self._aside)
            return
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                run()  # recorded, not executed
        self._graph.replay()
