"""A training step recorded once on a GPU (CUDA graph) and played from then on, without Python in between.

The step must read and write the same tensors each time and no value of them on the host: docs/gpu.md says what that was
seen to give.
"""

from collections.abc import Callable
from functools import cache

import torch

WARM_UP = 3
"""Number of steps before the recording, in which libraries choose their kernels and take their memory."""

stream_of = cache(torch.cuda.Stream)
"""From a device to the stream of all recordings of this process: each new one would keep workspaces for good."""


class CudaGraph:
    """Calls what it is given as it is for a few times, then plays its recording."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._calls = device, 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, run: Callable[[], None]) -> None:
        """Take one step; `run` is the same each time, and not kept: it may hold all that a training holds."""
        with torch.cuda.device(self._device):
            self._step(run)

    def _step(self, run: Callable[[], None]) -> None:
        self._calls += 1
        if self._calls <= WARM_UP:
            # In the stream of the recording, so that the libraries' workspaces are its own.
            aside = stream_of(self._device)
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                run()
            torch.cuda.current_stream().wait_stream(aside)
            return
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream_of(self._device)):
                run()  # recorded, not executed
            self._graph = graph  # a recording that failed is not there
        self._graph.replay()
